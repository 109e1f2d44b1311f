"""Repositories, by git's protocol over HTTP, each request through the egress.

Source: https://git-scm.com/docs/http-protocol.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dulwich.client import AbstractHttpGitClient
from dulwich.errors import GitProtocolError, NotGitRepository

from ...egress import Egress
from ...errors import ApiError, InvalidRequest
from .command import Argument, Both, Command, Outcome, Place
from .files import clean, sparing_others

#: Bytes of what a git server sends, and the seconds that it may take.
_MOST_PACK, _TIMEOUT = 32 * 1024 * 1024, 90
_REDIRECTS = 3
_PATH = Argument("clone_path", Both("<directory>", "<目录>"), most=200)


async def _clone(place: Place, args: Mapping[str, Any]) -> Outcome:
    url, folder = args["repository_url"].strip(), clean(args["clone_path"])
    if not url.startswith(("https://", "http://")):
        raise InvalidRequest("Give an address that begins with https://.")
    await place.egress.check(url)
    head, pack = await asyncio.to_thread(_fetch, _Client(url, place.egress, asyncio.get_running_loop()))
    packed, notes = await _unpacked(head, pack)
    files: dict[str, bytes | None] = {}
    left_out = 0
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content:
                try:
                    files[clean(f"{folder}/{member.name}")] = content.read()
                except InvalidRequest:
                    left_out += 1
    files, spared = await sparing_others(place, files)
    note = "".join(f" {one}" for one in [notes, *spared] if one)
    note += f" {left_out} files are left out: their paths are too long or too deep." if left_out else ""
    return Outcome(f"{len(files)} files of {url} ({head.decode()[:12]}) are in {folder}.{note}", files=files)


class _Client(AbstractHttpGitClient):
    """Git's client, in a thread; its requests go through the egress, in the event loop."""

    def __init__(self, url: str, egress: Egress, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(url)
        self._egress = egress
        self._loop = loop

    def _http_request(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: bytes | Iterator[bytes] | None = None,
        raise_for_status: bool = True,
    ) -> Any:
        body = data if isinstance(data, bytes | None) else b"".join(data)
        asked = self._ask("POST" if body is not None else "GET", url, headers or {}, body)
        answer = asyncio.run_coroutine_threadsafe(asked, self._loop).result(_TIMEOUT + 5)
        if raise_for_status and answer.status != 200:
            raise NotGitRepository(f"the server answered {answer.status}")
        return answer, answer.read

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> _Answer:
        async with self._egress.request(
            method,
            url,
            headers={**headers, "user-agent": "git/retinue"},
            body=body,
            max_bytes=_MOST_PACK,
            timeout=_TIMEOUT,
            redirects=_REDIRECTS,
        ) as response:
            return _Answer(response.status, response.headers, response.url, url, await response.read())


class _Answer:
    """What dulwich reads of an answer."""

    def __init__(self, status: int, headers: Mapping[str, str], url: str, asked: str, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content_type = headers.get("content-type")
        self.redirect_location = url if url != asked else ""
        self.read: Callable[[int], bytes] = io.BytesIO(body).read

    def close(self) -> None:
        """Nothing is open."""


class _Nothing:
    """What is known here of the repository's history: nothing."""

    shallow: set[bytes] = set()  # noqa: RUF012 (dulwich fills it)

    def __next__(self) -> None:
        return None

    def ack(self, sha: bytes) -> None:
        """Never called: nothing was offered."""

    def nak(self) -> None:
        """Nothing to note."""


def _fetch(client: _Client) -> tuple[bytes, bytes]:
    """The newest commit of the repository's main branch, and the pack with it alone.

    Raises:
        InvalidRequest: there is no such repository, or its server does not speak git's protocol.
    """
    pack = io.BytesIO()
    chosen: list[bytes] = []

    def wants(refs: Mapping[bytes, bytes | None], depth: int | None = None) -> list[bytes]:
        head = refs.get(b"HEAD") or next((sha for name, sha in refs.items() if name.startswith(b"refs/heads/")), None)
        chosen[:] = [head] if head else []
        return list(chosen)

    try:
        client.fetch_pack(b"", wants, _Nothing(), pack.write, depth=1)  # pyright: ignore[reportArgumentType]
    except ApiError:
        raise
    except (NotGitRepository, GitProtocolError, ValueError, KeyError, AssertionError, TimeoutError) as error:
        raise InvalidRequest(f"There is no git repository: {str(error)[:200]}") from error
    if not chosen:
        raise InvalidRequest("The repository is empty.")
    return chosen[0], pack.getvalue()


async def _unpacked(head: bytes, pack: bytes) -> tuple[bytes, str]:
    """The files of a commit as a tar, and what was left out.

    Raises:
        InvalidRequest: the pack is broken, or takes too much.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "retinue.agents.commands.unpack"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={},
    )
    try:
        async with asyncio.timeout(_TIMEOUT):
            packed, told = await child.communicate(head + b"\n" + pack)
    except BaseException:
        child.kill()
        await child.wait()
        raise
    if child.returncode:
        raise InvalidRequest("What the repository's server has sent is broken or too large.")
    return packed, told.decode("utf-8", "replace").strip()[:300]


COMMANDS = (
    Command(
        "clone_repository",
        Both("Clone repository", "克隆仓库"),
        (Argument("repository_url", Both("<url>", "<url>"), most=2048), _PATH),
        _clone,
        seconds=180,
    ),
)
