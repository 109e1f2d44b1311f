"""Pictures of GPTs: what was uploaded, or one that is drawn from the name."""

from __future__ import annotations

import hashlib
from html import escape

from ..errors import InvalidRequest, NotFound
from ..inference.images import media_type
from ..store.files import blob_of
from ..store.store import Store

#: Most bytes of a picture.
MOST_BYTES = 5 * 1024 * 1024


def drawn(name: str) -> str:
    """A picture for a name, as SVG: its first letter on a pattern that is always the same for the same name."""
    digest = hashlib.sha256(name.encode()).digest()
    hue, turn = digest[0] * 360 // 256, digest[1] % 4 * 90
    letter = escape(next((one for one in name if one.isalnum()), "?").upper())
    shapes = "".join(
        f'<circle cx="{digest[at] * 100 // 256}" cy="{digest[at + 1] * 100 // 256}" r="{12 + digest[at + 2] % 28}" '
        f'fill="hsl({(hue + digest[at + 2] % 60) % 360} 45% {38 + digest[at] % 18}%)"/>'
        for at in (2, 5, 8)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" width="256" height="256">'
        f'<rect width="100" height="100" fill="hsl({hue} 42% 34%)"/>'
        f'<g transform="rotate({turn} 50 50)" opacity=".55">{shapes}</g>'
        '<text x="50" y="50" dy=".36em" text-anchor="middle" font-family="system-ui, sans-serif" font-size="48" '
        f'font-weight="600" fill="#fff">{letter}</text></svg>'
    )


async def uploaded(store: Store, project: str, file: str) -> tuple[bytes, str] | None:
    """What is in an uploaded picture, and its media type; None if it is gone, too large, or no picture."""
    try:
        if (await store.files.get(project, file)).bytes > MOST_BYTES:
            return None
        content = await store.blobs.read_whole(blob_of(file))
    except (NotFound, FileNotFoundError):
        return None
    kind = media_type(content)
    return (content, kind) if kind else None


async def require(store: Store, project: str, file: str) -> None:
    """See that a file can be a GPT's picture.

    Raises:
        NotFound: the project has no such file.
        InvalidRequest: it is no PNG, JPEG, GIF or WebP, or too large.
    """
    await store.files.get(project, file)
    if await uploaded(store, project, file) is None:
        most = MOST_BYTES // 1024 // 1024
        raise InvalidRequest(f"Invalid 'picture': give a PNG, JPEG, GIF or WebP of at most {most} MB.", param="picture")
