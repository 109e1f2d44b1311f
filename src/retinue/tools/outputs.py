"""Files that tools make for the user."""

from __future__ import annotations

from collections.abc import AsyncIterable

from ..store.store import Store
from ..wire.files import FileObject


async def keep_output(store: Store, project: str, name: str, content: bytes | AsyncIterable[bytes]) -> FileObject:
    """Make a file of purpose `assistants_output`.

    Args:
        store: where it is kept.
        project: whose it is.
        name: its name, without a folder.
        content: what is in it, whole or in pieces as they come. If these raise, there is no file.
    """
    received = await store.files.receive(_pieces(content) if isinstance(content, bytes) else content)
    file = received.file(name.replace("\x00", "\ufffd"), "assistants_output")
    await store.files.add(project, file)
    return file


async def _pieces(content: bytes) -> AsyncIterable[bytes]:
    yield content
