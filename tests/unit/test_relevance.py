"""Too many functions: the model is told of those that fit what the user asks about."""

from __future__ import annotations

import pytest
from pydantic_core import to_json

from retinue.inference.chat import Json
from retinue.inference.tokens import estimate_tokens
from retinue.tools.relevance import MOST, chosen
from retinue.tools.tool import Report, Scope, Served, ServerFunction
from retinue.wire.steps import FunctionToolCall


async def serve(scope: Scope, call: FunctionToolCall, arguments: Json, report: Report) -> Served:
    raise AssertionError


def function(name: str, description: str = "", *, optional: bool = True) -> ServerFunction:
    definition: Json = {"description": description or name, "parameters": {"type": "object", "properties": {}}}
    return ServerFunction("action", name, definition, serve, optional=optional)


def topic(text: str):
    async def told() -> str:
        return text

    return told


async def never() -> str:
    raise AssertionError("nobody has to be left out")


CRUD = [
    function(f"{verb}{noun}", f"{verb.capitalize()} {noun.lower()}s of the shop.")
    for noun in ("Invoice", "Customer", "Warehouse", "Shipment")
    for verb in ("list", "create", "delete")
]

ROOM_FOR_THREE = 3 * max(estimate_tokens(to_json(one.told).decode()) for one in CRUD)


async def test_what_fits_is_told_whole_without_asking_for_the_topic() -> None:
    assert await chosen(CRUD, 10_000, never) == CRUD


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Which shipments are on their way?", {"listShipment", "createShipment", "deleteShipment"}),
        ("Please delete an invoice.", {"deleteInvoice", "listInvoice", "createInvoice"}),
    ],
)
async def test_those_that_share_words_with_the_topic_stay(text: str, expected: set[str]) -> None:
    assert {one.name for one in await chosen(CRUD, ROOM_FOR_THREE, topic(text))} == expected


async def test_chinese() -> None:
    tools = [function("a", "查询天气预报"), function("b", "预订酒店房间"), function("c", "翻译文字")]
    assert [one.name for one in await chosen(tools, 60, topic("明天上海的天气怎么样？"))][:1] == ["a"]


async def test_those_that_are_not_optional_stay_in_their_place() -> None:
    kept = function("file_search", "Search in files.", optional=False)
    found = await chosen([*CRUD[:6], kept, *CRUD[6:]], 100, topic("Which shipments are there?"))
    assert kept in found
    assert [one.name for one in found][-1].endswith("Shipment")


async def test_there_are_never_more_than_the_api_allows() -> None:
    many = [function(f"f{number}") for number in range(MOST + 50)]
    assert await chosen(many, 1_000_000, topic("f170 f171")) == [*many[: MOST - 2], *many[170:172]]


async def test_nothing_fits() -> None:
    assert await chosen(CRUD, 0, topic("shipments")) == []
