"""Uploading files by button and by dropping them, several at once, with progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from ..visitor import Visitor

_LABELS = ("pick", "drop", "clear", "cancel", "waiting", "done", "cancelled", "lost", "summary")


class Uploads(ui.element, component="uploads.js"):
    """A place for files: the browser sends them to ``/v1/files``, as the person who is signed in."""

    def __init__(
        self,
        visitor: Visitor,
        *,
        purpose: str = "assistants",
        pick: str = "",
        brief: bool = False,
        on_file: Callable[[Mapping[str, Any]], Any] | None = None,
        on_settled: Callable[[], Any] | None = None,
    ) -> None:
        """A place without files.

        Args:
            visitor: who uploads; may write.
            purpose: of the files.
            pick: what the button says; "": what it says as a rule.
            brief: whether files that are uploaded leave the list, since they are shown elsewhere.
            on_file: is told each file of the API, when it is there.
            on_settled: is called when no more files are on their way.
        """
        super().__init__()
        labels = {key: visitor.text(f"uploads.{key}") for key in _LABELS}
        self._props["labels"] = {**labels, "pick": pick} if pick else labels
        self._props["brief"] = brief
        # The session's cookie says who it is; these say that it is this page, and for which project.
        self._props["headers"] = {"X-CSRF-Token": visitor.me["csrf_token"] or "", "OpenAI-Project": visitor.project}
        self._props["purpose"] = purpose
        if on_file:
            self.on("uploaded", lambda event: on_file(event.args))
        if on_settled:
            self.on("settled", lambda _: on_settled())

    def choose(self, purpose: str) -> None:
        """What the next files are for."""
        self._props["purpose"] = purpose
        self.update()
