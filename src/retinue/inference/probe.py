"""Whether a model's server can be reached, without asking a model anything."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from ..model_settings import UpstreamSettings
from ..settings import Settings
from ..store.secretbox import SecretUnreadable
from .servers import proxy_for
from .upstream_keys import opened

#: Seconds that a server has to answer.
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of it."""

    good: bool
    #: What is wrong, or that nothing is.
    detail: str


async def reach(server: UpstreamSettings, settings: Settings) -> Reached:
    """Ask a server with a `base_url` which models it has. Any answer will do but that it refuses the key."""
    try:
        api_key = opened(server.api_key, settings)
    except SecretUnreadable as error:
        return Reached(False, str(error))
    base_url = (server.base_url or "").rstrip("/")
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, proxy=proxy_for(server, base_url)) as session,
            session.get(f"{base_url}/models", headers=headers, allow_redirects=False) as response,
        ):
            status = response.status
    except TimeoutError:
        return Reached(False, f"no answer within {_PATIENCE:.0f} seconds")
    except aiohttp.ClientConnectorError as error:
        return Reached(False, f"cannot be reached: {error.strerror or error}")
    except (aiohttp.ClientError, OSError) as error:
        return Reached(False, f"cannot be asked: {error}")
    if status in (401, 403):
        return Reached(False, f"refuses the key (status {status})")
    if status == 407 or status >= 500:
        return Reached(False, f"answers with status {status}")
    return Reached(True, "reachable")
