"""Vectors of remote servers, and how texts are divided among calls of the local model."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.errors import ModelBusy, ModelError
from retinue.inference.embeddings.local import _parts
from retinue.inference.embeddings.remote import RemoteEmbedder
from retinue.inference.slots import FairSlots
from retinue.inference.tokenizers import encode
from retinue.inference.tokens import estimate_tokens
from retinue.model_settings import ModelSettings
from retinue.wire.embeddings import EmbeddingCreate

Json = dict[str, Any]


class Route:
    """Answers everything with one body, and remembers what it was asked."""

    def __init__(self, answer: Json) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Json, str]] = []

    async def post(self, path: str, body: Json, caller: str = "") -> Json:
        self.asked.append((path, body, caller))
        return self.answer


def remote(answer: Json, slots: FairSlots | None = None, **settings: Any) -> tuple[RemoteEmbedder, Route]:
    route = Route(answer)
    served = ModelSettings(base_url="http://127.0.0.1:9/v1", **settings)
    model = SimpleNamespace(name="vectors", route=route, settings=served)
    return RemoteEmbedder(model, slots), route  # type: ignore[arg-type]


def entry(index: int, embedding: Any) -> Json:
    return {"object": "embedding", "index": index, "embedding": embedding}


async def test_the_request_is_passed_on_and_the_answer_put_in_order():
    packed = base64.b64encode(np.array([3, 4], "<f4").tobytes()).decode()
    answer = {"data": [entry(1, packed), entry(0, [1, 2.5])], "usage": {"prompt_tokens": 9, "total_tokens": 9}}
    embedder, route = remote(answer)
    found = await embedder.embed(["a", "b"], caller="p", dimensions=2, encoding_format="base64", user="me")
    assert found.tokens == 9
    assert found.vectors.dtype == np.float32
    assert found.vectors.tolist() == [[1, 2.5], [3, 4]]
    body = {"input": ["a", "b"], "dimensions": 2, "encoding_format": "base64", "user": "me"}
    assert route.asked == [("/embeddings", body, "p")]
    await embedder.embed([[1, 2], [3]])
    assert route.asked[1] == ("/embeddings", {"input": [[1, 2], [3]], "encoding_format": "float"}, "")


async def test_prefixes_tell_queries_from_documents():
    embedder, route = remote({"data": [entry(0, [1.0])]}, query_prefix="query: ", document_prefix="passage: ")
    for input_type in ("query", "document", None):
        await embedder.embed(["ferry"], input_type=input_type)
    await embedder.embed(await encode("cl100k_base", ["ferry"]), input_type="query")
    sent = [body["input"] for _, body, _ in route.asked]
    assert sent == [["query: ferry"], ["passage: ferry"], ["ferry"], ["query: ferry"]]


async def test_calls_take_a_slot_and_give_it_back():
    slots = FairSlots(1, waiting=0, timeout=1)
    embedder, _ = remote({"data": [entry(0, [1.0])]}, slots)
    await slots.acquire("")
    with pytest.raises(ModelBusy):
        await embedder.embed(["a"])
    slots.release()
    await embedder.embed(["a"])
    assert slots.free


async def test_tokens_are_estimated_where_the_server_counts_none():
    embedder, _ = remote({"data": [entry(0, [1.0])]})
    assert (await embedder.embed(["some text"])).tokens == estimate_tokens("some text")
    assert (await embedder.embed([[7, 8, 9]])).tokens == 3


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": None},
        {"data": []},
        {"data": [entry(0, [1.0]), entry(1, [1.0])]},
        {"data": [entry(1, [1.0])]},
        {"data": [{"embedding": [1.0]}]},
        {"data": [entry(0, [])]},
        {"data": [entry(0, None)]},
        {"data": [entry(0, "no base64!")]},
        {"data": [entry(0, "AAAA")]},
        {"data": [entry(0, [[1.0]])]},
        {"data": [entry(0, ["one"])]},
        {"data": [entry(0, [float("nan")])]},
        {"data": ["x"]},
        {"data": [entry(0, [1.0])], "usage": {"prompt_tokens": "many"}},
    ],
)
async def test_an_answer_that_is_no_list_of_embeddings_is_the_servers_fault(answer: Json):
    embedder, _ = remote(answer)
    with pytest.raises(ModelError, match="not a list of embeddings"):
        await embedder.embed(["a"])


async def test_vectors_of_different_lengths_are_the_servers_fault():
    embedder, _ = remote({"data": [entry(0, [1.0]), entry(1, [1.0, 2.0])]})
    with pytest.raises(ModelError, match="not a list of embeddings"):
        await embedder.embed(["a", "b"])


@given(st.lists(st.text(min_size=1, max_size=20).map(lambda text: text * 200), min_size=1, max_size=150))
def test_parts_are_all_texts_in_order_and_small(texts: list[str]):
    parts = list(_parts(texts, 2048))
    assert [text for _, part in parts for text in part] == texts
    place = 0
    for start, part in parts:
        assert start == place
        assert 1 <= len(part) <= 64
        assert len(part) == 1 or sum(map(estimate_tokens, part)) <= 2048
        place += len(part)


@pytest.mark.parametrize(
    ("sent", "inputs"),
    [("a", ["a"]), (["a", "b"], ["a", "b"]), ([1, 2], [[1, 2]]), ([[1], [2, 3]], [[1], [2, 3]])],
)
def test_each_shape_of_input_is_a_list_of_inputs(sent: Any, inputs: Any):
    assert EmbeddingCreate.model_validate({"input": sent, "model": "m"}).inputs == inputs
