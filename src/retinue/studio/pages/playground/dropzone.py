"""Where files are dropped, or chosen, and how far they have come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import events, ui

from ...elements.composer import Chosen
from ...elements.controls import plain
from ...visitor import Visitor

#: Of one file; larger ones go by the API's uploads.
MAX_BYTES = 64 * 1024 * 1024
_ON_DROP = """(event) => {
  event.preventDefault();
  getHtmlElement(ZONE).classList.remove("over");
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length) getElement(UPLOAD).$refs.qRef.addFiles(files);
}"""
#: The browser knows how much of a file has been sent.
_ON_UPLOADING = """() => {
  const uploader = getElement(UPLOAD).$refs.qRef, bar = getHtmlElement(BAR);
  bar.hidden = false;
  const timer = setInterval(() => {
    bar.value = parseFloat(uploader.uploadProgressLabel) || 0;
    if (!uploader.isUploading) { clearInterval(timer); bar.hidden = true; }
  }, 100);
}"""


class Dropzone:
    """A place for files, with a button for those who do not drag."""

    def __init__(self, visitor: Visitor, label: str, on_file: Callable[[Chosen], Awaitable[None]]) -> None:
        """Built in the current slot.

        Args:
            visitor: who brings files.
            label: of the button.
            on_file: gets each file.
        """
        text = visitor.text

        async def uploaded(event: events.UploadEventArguments) -> None:
            event.sender.run_method("reset")
            await on_file(Chosen(event.file.name, await event.file.read(), event.file.content_type))

        with ui.element("div").classes("drop") as zone:
            upload = ui.upload(
                multiple=True,
                auto_upload=True,
                max_file_size=MAX_BYTES,
                on_upload=uploaded,
                on_rejected=lambda: ui.notify(text("conversation.too_large"), type="warning"),
            ).classes("hidden")
            button = plain(label, icon="upload_file")
            button.on("click", js_handler=f"() => getElement({upload.id}).$refs.qRef.pickFiles()")
            ui.label(text("playground.drop")).classes("quiet")
            bar = ui.element("progress").props("max=100 hidden")
            bar.props["aria-label"] = text("playground.uploading")
        upload.on("uploading", js_handler=_ON_UPLOADING.replace("UPLOAD", str(upload.id)).replace("BAR", str(bar.id)))
        zone.on("drop", js_handler=_ON_DROP.replace("UPLOAD", str(upload.id)).replace("ZONE", str(zone.id)))
        over = "(event) => { event.preventDefault(); getHtmlElement(ZONE).classList.add('over'); }"
        zone.on("dragover", js_handler=over.replace("ZONE", str(zone.id)))
        away = f"() => getHtmlElement({zone.id}).classList.remove('over')"
        zone.on("dragleave", js_handler=away)
