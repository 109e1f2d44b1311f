"""A kernel's messages made into outputs, with limits on how much a run can say."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, cast

from retinue.sandbox.channels import MOST_PICTURE_BYTES
from retinue.sandbox.session import Failure, Image, Logs, Output

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from retinue.sandbox.channels import Message

#: Characters of a traceback: its end, which names the error.
_TRACEBACK = 8000
#: Most images of one run.
_IMAGES = 20
#: Bytes of messages after which a run counts as one that writes without end, and what each message counts beside its
#: own, for the work that it makes.
FLOOD, _EACH = 64 * 1024 * 1024, 512
_PNG = b"\x89PNG\r\n\x1a\n"
#: Colours and other control sequences of terminals (ECMA-48); the introducers of all others, which then mean nothing.
_CONTROL = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b|[\x80-\x84\x86-\x9f]")


class Collector:
    """Takes the messages of one run of code; keeps its outputs and passes each on as it comes.

    `most` is the number of characters of text that are kept, tracebacks aside.
    """

    def __init__(self, on_output: Callable[[Output], None], most: int) -> None:
        self.outputs: list[Output] = []
        #: Whether an exception ended the code.
        self.failed = False
        self._on_output = on_output
        self._room = self._most = most
        self._images = 0
        self._bytes = 0

    @property
    def flooded(self) -> bool:
        """Whether the run has said so much that it should be stopped."""
        return self._bytes > FLOOD

    def count(self, message: Message) -> None:
        """Count a message, whether or not it belongs to the run."""
        self._bytes += message.size + _EACH

    def take(self, message: Message) -> None:
        """Take one message of the channel `iopub`; whatever is not as it should be in it is left out."""
        content = message.content
        match message.type:
            case "stream":
                self._text(content.get("text"))
            case "execute_result" | "display_data":
                self._shown(message.picture, content.get("data"))
            case "error":
                self._failure(content)
            case _:
                pass

    def _emit(self, output: Output) -> None:
        self.outputs.append(output)
        self._on_output(output)

    def _text(self, text: object) -> None:
        if not isinstance(text, str) or not text or self._room < 0:
            return
        text = _clean(text)
        kept, self._room = text[: self._room], self._room - len(text)
        if self._room < 0:
            kept += f"\n[The output is longer than {self._most} characters; the rest is left out.]\n"
        self._emit(Logs(kept))

    def _shown(self, picture: bytes, data: object) -> None:
        forms = cast("Mapping[str, Any]", data) if isinstance(data, dict) else {}
        if picture or "image/png" in forms:
            self._image(picture or _decoded(forms["image/png"]))
        elif isinstance(text := forms.get("text/plain"), str):
            self._text(text + "\n")

    def _image(self, png: bytes) -> None:
        self._images += 1
        if self._images == _IMAGES + 1:
            self._text(f"[More than {_IMAGES} images; the rest is left out.]\n")
        if self._images > _IMAGES:
            return
        if len(png) > MOST_PICTURE_BYTES:
            self._text(f"[An image is larger than {MOST_PICTURE_BYTES} bytes and is left out.]\n")
        elif png.startswith(_PNG):
            self._emit(Image(png))

    def _failure(self, content: Mapping[str, Any]) -> None:
        if self.failed:
            return
        self.failed = True
        name, lines = content.get("ename"), content.get("traceback")
        parts = cast("list[object]", lines) if isinstance(lines, list) else []
        traceback = _clean("\n".join(part for part in parts if isinstance(part, str))).strip()
        if len(traceback) > _TRACEBACK:
            traceback = "[...]\n" + traceback[-_TRACEBACK:]
        self._emit(Failure(_clean(name)[:200] if isinstance(name, str) else "Error", traceback))


def _decoded(encoded: object) -> bytes:
    """A picture in base64; empty if it is none."""
    try:
        return base64.b64decode(encoded) if isinstance(encoded, str) else b""
    except ValueError:
        return b""


def _clean(text: str) -> str:
    """Without control sequences, and without the one character that the database cannot store."""
    return _CONTROL.sub("", text).replace("\0", "\ufffd")
