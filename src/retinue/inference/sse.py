"""Reading server-sent events from a model's server."""

from __future__ import annotations

from ..errors import ModelError

#: No event of a model's stream is longer than this many bytes.
_LONGEST_EVENT = 4 * 1024 * 1024


class Cutter:
    """Cuts the bytes of a stream into its events. They may come in any pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of the events that are complete now, in order; comments and other fields are passed over.

        Raises:
            ModelError: an event is longer than 4 MiB.
        """
        lines = (self._rest + piece if self._rest else piece).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _LONGEST_EVENT:
            raise ModelError("The model's server sent an event that is too long.")
        return [line[5:].strip() for line in lines if line.startswith(b"data:")]

    def end(self) -> list[bytes]:
        """What a last line without an end holds."""
        return self.feed(b"\n")
