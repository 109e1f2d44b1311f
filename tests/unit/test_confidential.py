"""Answers on their way through the layer that withholds, however they are cut."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.api.confidential import _Withholding  # pyright: ignore[reportPrivateUsage] (what the layer sends through)

RUN = {"object": "thread.run", "instructions": "Secret", "tools": [{"type": "file_search", "file_search": {"a": 1}}]}
SHOWN = {"object": "thread.run", "instructions": "", "tools": [{"type": "file_search"}]}


def sent(
    kind: bytes, body: bytes, places: list[int], *, protected_only: bool = False
) -> tuple[dict[bytes, bytes], bytes]:
    """The headers and the body of an answer that comes in pieces."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def answer() -> None:
        layer = _Withholding(send, protected_only, None)
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await layer.send({"type": "http.response.start", "status": 200, "headers": headers})
        bounds = sorted({0, *(place % (len(body) + 1) for place in places)})
        for begin, end in zip(bounds, [*bounds[1:], len(body)], strict=True):
            await layer.send({"type": "http.response.body", "body": body[begin:end], "more_body": True})
        await layer.send({"type": "http.response.body"})

    asyncio.run(answer())
    assert [message["type"] for message in messages].count("http.response.start") == 1
    return dict(messages[0]["headers"]), b"".join(message.get("body", b"") for message in messages[1:])


CUTS = st.lists(st.integers(0, 1000), max_size=8)


@given(CUTS)
def test_events_however_they_come(places: list[int]) -> None:
    def stream(run: object) -> bytes:
        events = b": keep-alive\nevent: thread.run.created\ndata: %s\nid: 1\n\n: keep-alive\n"
        return events % json.dumps(run, separators=(",", ":")).encode() + b"event: done\ndata: [DONE]\n\n"

    assert sent(b"text/event-stream; charset=utf-8", stream(RUN), places)[1] == stream(SHOWN)


@given(CUTS)
def test_lines_of_an_export_however_they_come(places: list[int]) -> None:
    def lines(run: object) -> bytes:
        return b'{"object":"export"}\n%s\n{"object":"export.end"}\n' % json.dumps(run, separators=(",", ":")).encode()

    assert sent(b"application/jsonl", lines(RUN), places)[1] == lines(SHOWN)


@given(CUTS)
def test_objects_and_lists_however_they_come(places: list[int]) -> None:
    headers, body = sent(b"application/json", json.dumps({"object": "list", "data": [RUN, RUN]}).encode(), places)
    assert json.loads(body) == {"object": "list", "data": [SHOWN, SHOWN]}
    assert headers[b"content-length"] == b"%d" % len(body)


@pytest.mark.parametrize("protected", [True, False])
def test_who_may_read_assistants_is_told_all_but_what_is_protected(protected: bool) -> None:
    run = {**RUN, "protected": True} if protected else RUN
    _, body = sent(b"application/json", json.dumps(run).encode(), [], protected_only=True)
    assert json.loads(body) == ({**SHOWN, "protected": True} if protected else RUN)


def test_what_is_no_json_passes() -> None:
    assert sent(b"application/octet-stream", b'{"object": "thread.run"}', [3])[1] == b'{"object": "thread.run"}'
    assert sent(b"application/json", b"", [])[1] == b""
