"""Server-sent events of a model's server, however the network cuts them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.errors import ModelError
from retinue.inference import sse


def read(pieces: list[bytes]) -> list[bytes]:
    """The data of all events."""
    cutter = sse.Cutter()
    return [data for batch in [*map(cutter.feed, pieces), cutter.end()] for data in batch]


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """The stream in pieces, cut at these places."""
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


STREAM = ': hello\n\nevent: x\ndata: {"a": "你好 🌍"}\n\nid: 1\ndata:{"b": 2}\nretry: 5\n\ndata: [DONE]\n\n'.encode()
DATA = ['{"a": "你好 🌍"}'.encode(), b'{"b": 2}', b"[DONE]"]


@given(st.lists(st.integers(0, 10_000), max_size=30), st.sampled_from([b"\n", b"\r\n"]))
def test_bytes_may_be_cut_anywhere(places: list[int], newline: bytes) -> None:
    assert read(cut(STREAM.replace(b"\n", newline), places)) == DATA


def test_byte_by_byte() -> None:
    assert read([bytes([byte]) for byte in STREAM]) == DATA


@given(st.lists(st.text(st.characters(blacklist_categories=["Cc", "Cs", "Z"]), min_size=1), max_size=8))
def test_every_event_comes_out_as_it_went_in(texts: list[str]) -> None:
    stream = "".join(f"data: {text}\n\n" for text in texts).encode()
    assert read(cut(stream, [3, 7, 11])) == [text.encode() for text in texts]


def test_a_last_line_without_an_end_counts() -> None:
    assert read([b"data: 1\n\nda", b"ta: 2"]) == [b"1", b"2"]


def test_nothing_at_all() -> None:
    assert read([]) == read([b""]) == read([b": only\n\n"]) == []


def test_an_event_without_end_is_refused() -> None:
    with pytest.raises(ModelError, match="too long"):
        read([b"data: "] + [b"x" * 1024 * 1024] * 5)
