"""The process that reads files, each in a fork of its own (`forks`).

Run by `Worker`, with ``{"timeout", "memory_bytes", "most_tokens", "ocr"}``. A file is asked for by ``{"path",
"filename", "size", "overlap"}``. The answer is ``{"chunks", "words", "slices", "tables"}``: how many chunks, how many
words in all of them, and in how many further frames they come. Each further question, ``{}``, brings one of these:
first slices of the chunks, ``{"chunks": [[start, tokens, page, section, bytes]]}`` with their texts one after the other
as the part; then tables of the words, ``{"words": [[word, bytes]]}`` with their postings in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from ..inference.frames import Frame
from ..inference.tokenizers import token_ends
from ..inference.working import work
from .chunks import ENCODING, cut
from .extract import Unreadable, extract, recognition
from .forks import Forks
from .words import postings

T = TypeVar("T")

#: Entries and bytes of a frame: what the server can take in within a millisecond or two.
_ENTRIES, _BYTES = 500, 256 * 1024
#: Reading gives way to whatever answers somebody who waits.
_NICE = 10


def _read(question: Frame, config: dict[str, Any]) -> Iterator[Frame]:
    job = question.head
    document = extract(Path(job["path"]), job["filename"], ocr=config["ocr"])
    ends = token_ends(ENCODING, document.text)
    if len(ends) > config["most_tokens"]:
        most = config["most_tokens"]
        raise Unreadable("invalid_file", f"The file has more than {most} tokens. Divide it into several files.")
    chunks = cut(document, ends, job["size"], job["overlap"])
    table, words = postings([chunk.text for chunk in chunks])
    slices = [
        Frame({"chunks": [[*entry, len(text)] for entry, text in part]}, [b"".join(text for _, text in part)])
        for part in _parts(((c.start, c.tokens, c.page, c.section), c.text.encode()) for c in chunks)
    ]
    tables = [
        Frame({"words": [[word, len(content)] for word, content in part]}, [b"".join(content for _, content in part)])
        for part in _parts(table.items())
    ]
    yield Frame({"chunks": len(chunks), "words": words, "slices": len(slices), "tables": len(tables)})
    yield from slices
    yield from tables


def _parts(entries: Iterable[tuple[T, bytes]]) -> Iterator[list[tuple[T, bytes]]]:
    """The entries in parts that a frame can hold."""
    part: list[tuple[T, bytes]] = []
    size = 0
    for entry in entries:
        if part and (len(part) == _ENTRIES or size + len(entry[1]) > _BYTES):
            yield part
            part, size = [], 0
        part.append(entry)
        size += len(entry[1])
    if part:
        yield part


def _load(config: dict[str, Any]) -> Callable[[Frame], Frame]:
    postings(["words, 词语"])
    token_ends(ENCODING, "words")
    if config["ocr"]:
        # Where it is not installed, each file that needs it says so.
        with suppress(Unreadable):
            recognition.load()
    return Forks(config, _read, nice=_NICE).answer


if __name__ == "__main__":
    work(_load)
