"""Images that are answered as URLs: kept for a while, and shown to everyone who has the address."""

from __future__ import annotations

import hmac
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from ..errors import NotFound
from .blobs import Blobs
from .ids import new_id
from .loose_blobs import LooseBlobs
from .secretbox import SecretBox

_PURPOSE = "generated image"


@dataclass(frozen=True, slots=True)
class ImageAddress:
    """What an image's URL says: the signature stands in for an API key."""

    #: The image's id with an ending that tells its format, such as `.png`.
    name: str
    #: Unix time in seconds.
    expires: int
    signature: str


class GeneratedImages:
    """Images at addresses that nobody can guess, each until it expires; then the sweep deletes it."""

    def __init__(self, blobs: Blobs, loose: LooseBlobs, secrets: SecretBox, *, keep: float) -> None:
        """`keep`: seconds until an image expires."""
        self._blobs = blobs
        self._loose = loose
        self._secrets = secrets
        self._keep = keep

    async def keep(self, content: bytes, ending: str) -> ImageAddress:
        """Keep an image; `ending` tells its format, such as `png`.

        Raises:
            Unavailable: database or blob store do not answer.
        """
        name = f"{new_id('img_')}.{ending}"

        async def whole() -> AsyncGenerator[bytes]:
            yield content

        await self._loose.write(_blob_of(name), whole(), within=self._keep)
        expires = int(time.time() + self._keep)
        return ImageAddress(name, expires, self._signature(name, expires))

    async def content(self, address: ImageAddress) -> bytes:
        """The image at an address.

        Raises:
            NotFound: it has expired, or nobody was given this address.
            Unavailable: the blob store does not answer.
        """
        expected = self._signature(address.name, address.expires)
        if hmac.compare_digest(expected.encode(), address.signature.encode()) and time.time() < address.expires:
            try:
                return await self._blobs.read_whole(_blob_of(address.name))
            except FileNotFoundError:
                pass
        raise NotFound("There is no image at this address, or it has expired.")

    def _signature(self, name: str, expires: int) -> str:
        return self._secrets.signature(_PURPOSE, f"{name} {expires}")


def _blob_of(name: str) -> str:
    return f"images/{name}"
