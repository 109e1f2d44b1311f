"""Files that are pasted, dropped or chosen where something is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from nicegui import events, ui

from ..visitor import Visitor

#: Pictures that models are shown; others are files.
PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
#: Pictures and files that are pasted or dropped go the same way as chosen ones.
_ON_FILES = """(event) => {
  const files = [...((event.clipboardData ?? event.dataTransfer)?.files ?? [])];
  if (!files.length) return;
  event.preventDefault();
  getElement(UPLOAD).$refs.qRef.addFiles(files);
}"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A file that goes with a message."""

    name: str
    #: Its content.
    data: bytes
    #: Its media type, as the browser says.
    kind: str


class Arriving:
    """Files that are on their way from the browser to the page."""

    def __init__(self, upload: ui.upload) -> None:
        """`upload` brings the files."""
        self._upload, self._settled = upload, asyncio.Event()
        #: Below 0 where a file is here before the page was told that it comes.
        self._count = 0
        self._aborted = False
        upload.on("added", lambda event: self._more(int(event.args)), js_handler="(files) => emit(files.length)")
        upload.on("failed", lambda event: self._lost(int(event.args)), js_handler="(all) => emit(all.files.length)")

    def __bool__(self) -> bool:
        return self._count > 0

    def _more(self, files: int) -> None:
        self._count += files
        if self._count <= 0:
            self._settled.set()

    def _lost(self, files: int) -> None:
        # Of what was aborted nothing is awaited any more.
        self._more(-min(files, max(self._count, 0)))

    def came(self) -> None:
        """One is here."""
        self._more(-1)

    async def settled(self) -> bool:
        """Whether all that were on their way have come, or failed; False: `abort` was called."""
        self._aborted = False
        self._settled.clear()
        if self:
            await self._settled.wait()
        return not self._aborted

    def abort(self) -> None:
        """What is on its way stays where it was."""
        self._upload.run_method("reset")
        self._aborted = True
        self._lost(self._count)


def taking_files(
    visitor: Visitor, place: ui.element, button: ui.button, on_file: Callable[[Chosen], object], most_bytes: int
) -> Arriving:
    """Let a place take files that are pasted and dropped there, and a button choose some.

    Built in the current slot.

    Args:
        visitor: who brings files.
        place: where they are pasted and dropped.
        button: opens the chooser of files.
        on_file: gets each file.
        most_bytes: of one file; a larger one is refused, and the person told.

    Returns:
        what is on its way.
    """

    async def uploaded(event: events.UploadEventArguments) -> None:
        try:
            file = Chosen(event.file.name, await event.file.read(), event.file.content_type)
            event.sender.run_method("removeUploadedFiles")
            on_file(file)
        finally:
            arriving.came()

    upload = ui.upload(
        multiple=True,
        auto_upload=True,
        max_file_size=most_bytes,
        on_upload=uploaded,
        on_rejected=lambda: ui.notify(visitor.text("conversation.too_large"), type="warning"),
    ).classes("hidden")
    arriving = Arriving(upload)
    button.on("click", js_handler=f"() => getElement({upload.id}).$refs.qRef.pickFiles()")
    take = _ON_FILES.replace("UPLOAD", str(upload.id))
    place.on("paste", js_handler=take)
    place.on("drop", js_handler=take)
    place.on("dragover", js_handler="(event) => event.preventDefault()")
    return arriving
