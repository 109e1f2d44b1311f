"""Tokens as the tokenizer page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from retinue.inference.tokenizers import OpenAiTokenizer
from retinue.studio.pages.tokenizer.pieces import PAGE, Reader, read
from retinue.studio.visitor import Visitor


class _Api:
    """`/v1/tokenize` as the page asks it."""

    def __init__(self) -> None:
        self.pieces = 0

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        shown = body["return"] == "pieces"
        assert not shown or len(body["input"].encode()) <= 65_000
        self.pieces += shown
        (found,) = await OpenAiTokenizer(body["encoding"]).texts([body["input"]], "p", pieces=shown)
        pieces = [{"bytes": list(one)} for one in found.pieces or []]
        return {"data": [{"tokens": found.ids, "pieces": pieces}]}


def test_tokens_that_are_a_character_only_together_say_so() -> None:
    found = read([(0, 1, b"a"), (1, 2, b" \xf0\x9f"), (2, 3, b"\xa6\x9c"), (3, 4, b"\xff"), (4, 5, None)])
    assert [(one.text, one.whole, one.part, one.parts) for one in found] == [
        ("a", "", 0, 1),
        (None, " 🦜", 0, 2),
        (None, " 🦜", 1, 2),
        (None, "", 0, 1),
        (None, "", 0, 1),
    ]


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
async def test_all_pages_together_are_the_text(encoding: str) -> None:
    text = "龘🦜 words and 文字 …\n" * 1500
    reader = Reader(cast(Visitor, _Api()), text, {"encoding": encoding})
    await reader.count()
    tokens = [one for number in range(reader.pages) for one in await reader.page(number)]
    assert reader.pages == -(-len(reader.ids) // PAGE) > 5
    assert [one.place for one in tokens] == list(range(len(reader.ids)))
    assert b"".join(one.data or b"?" for one in tokens).decode() == text
    assert "".join(one.text if one.text is not None else one.whole * (one.part == 0) for one in tokens) == text


async def test_a_page_of_a_long_text_asks_for_little() -> None:
    api = _Api()
    reader = Reader(
        cast(Visitor, api), "".join(f"line {number}\n" for number in range(50_000)), {"encoding": "o200k_base"}
    )
    await reader.count()
    last = await reader.page(reader.pages - 1)
    assert "".join(one.text or "" for one in last).endswith("line 49999\n")
    assert api.pieces <= 5


async def test_no_text_has_no_tokens() -> None:
    reader = Reader(cast(Visitor, _Api()), "", {"encoding": "o200k_base"})
    await reader.count()
    assert (reader.ids, reader.pages, await reader.page(0)) == ([], 1, [])
