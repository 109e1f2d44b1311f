"""Why a search found what it found: `explain` of `POST /v1/vector_stores/{id}/search`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from retinue.knowledge.explaining import merged
from retinue.knowledge.words import query_words
from retinue.settings import Settings

from ..harness import Api, Json, Server, empty, serving
from ..indexing import index
from ..json_upstream import JsonUpstream
from .test_vector_search import BIRDS, PLANES, POEM, Stored, models, stored, texts_of, with_models

__all__ = ["models", "with_models"]
pytestmark = pytest.mark.settings(serve_worker=False)


def marked(result: Json) -> list[str]:
    """What the places mark in a result's text."""
    places = result["retinue"]["words"]["places"]
    return [result["content"][0]["text"][one["start_index"] : one["end_index"]] for one in places]


async def test_only_who_asks_is_told(api: Api, server: Server) -> None:
    store = await stored(api, server, birds=BIRDS)
    for options in ({}, {"explain": False}, {"explain": None}):
        assert "retinue" not in (await store.search("voles", **options))["data"][0]
    assert "explain" in (await store.refused(explain="yes"))["message"]
    assert (await store.search("nothing has this", explain=True))["data"] == []


async def test_by_words_alone(api: Api, server: Server) -> None:
    store = await stored(api, server, birds=BIRDS, poem=POEM, planes=PLANES)
    query = "Who is hovering and eating submarines?"
    page = await store.search(query, explain=True)
    best = page["data"][0]
    why = best["retinue"]
    assert (why["query"], why["score"], why["reranked"], why["meaning"]) == (query, best["score"], False, None)
    words = why["words"]
    assert (words["rank"], words["score"], words["weight"]) == (1, best["score"], 1)
    assert (words["found"], words["missing"]) == (["hovering", "eating"], ["submarines"])
    assert marked(best) == ["hovers", "eats"]
    assert [one["retinue"]["words"]["rank"] for one in page["data"]] == [1, 2, 2]
    plain = await store.search(query)
    assert [{**one, "retinue": 0} for one in page["data"]] == [{**one, "retinue": 0} for one in plain["data"]]


async def test_chinese_words_are_marked(api: Api, server: Server) -> None:
    store = await stored(api, server, poem=POEM)
    found = {texts_of({"data": [one]})[0]: one for one in (await store.search("明月 故乡", explain=True))["data"]}
    assert marked(found["举头望明月，低头思故乡。"]) == ["明月", "故乡"]
    first = found["床前明月光，疑是地上霜。"]
    assert marked(first) == ["明月"]
    assert first["retinue"]["words"]["missing"] == ["故乡"]


async def test_where_it_stands(api: Api, server: Server) -> None:
    store = await stored(api, server, all=f"{BIRDS}\n\n{PLANES}")
    places = {
        one["content"][0]["text"]: one["retinue"]["place"]
        for one in (await store.search("kestrel heron Harrier Gliders", explain=True))["data"]
    }
    kestrel, heron = BIRDS.split("\n\n")
    harrier, gliders = PLANES.split("\n\n")
    assert places[kestrel] == {
        "chunk": 1, "chunks": 4, "start_index": 0, "page": None, "section": None, "before": "", "behind": heron
    }  # fmt: skip
    assert (places[harrier]["chunk"], places[harrier]["before"], places[harrier]["behind"]) == (3, heron, gliders)
    assert places[gliders]["start_index"] == len(f"{BIRDS}\n\n{harrier}\n\n")
    assert places[gliders]["behind"] == ""


def test_marks_are_at_whole_words() -> None:
    text = "Cats: a cat's catalogue. ＣＡＴ iPhone手机 cat"
    places = merged(text, query_words("cats 手机"))
    assert [text[begin:end] for begin, end in places] == ["Cats", "cat", "ＣＡＴ", "手机", "cat"]
    assert merged(text, []) == []


class TestWithVectors:
    """By meaning and words."""

    @pytest.fixture
    async def server(self, postgres: str, with_models: Settings) -> AsyncIterator[Server]:
        empty(postgres)
        async with serving(with_models, postgres) as server:
            yield server

    @pytest.fixture
    async def meant(self, api: Api, server: Server) -> Stored:
        file = await api.file(f"{BIRDS}\n\n{PLANES}", "all.txt")
        made = (await api.post("/vector_stores", {"file_ids": [file]}))["id"]
        await index(server, embedder=server.app.state.embedders.find())
        return Stored(api, made, {"all": file})

    async def test_both_ways(self, meant: Stored) -> None:
        page = await meant.search(["falcon", "Gliders"], explain=True)
        by_text = {one["content"][0]["text"]: one for one in page["data"]}
        kestrel = by_text[BIRDS.partition("\n\n")[0]]["retinue"]
        assert (kestrel["query"], kestrel["words"], kestrel["meaning"]["rank"]) == ("falcon", None, 1)
        gliders = by_text["Gliders have no engine."]["retinue"]
        assert (gliders["query"], gliders["words"]["rank"], gliders["words"]["weight"]) == ("Gliders", 1, 1)
        for one in page["data"]:
            why = one["retinue"]
            left = 1.0
            for leg in (why["meaning"], why["words"]):
                left *= 1 - leg["weight"] * leg["score"] if leg else 1
            assert 1 - left == pytest.approx(one["score"], abs=1e-5)

    async def test_meaning_that_does_not_count_is_not_told(self, meant: Stored) -> None:
        words = {"hybrid_search": {"embedding_weight": 0, "text_weight": 3}}
        (one,) = (await meant.search("Gliders", explain=True, ranking_options=words))["data"]
        assert one["retinue"]["meaning"] is None

    @pytest.mark.settings(serve_worker=False, default_reranker="judge")
    async def test_what_a_reranker_did(self, meant: Stored, models: JsonUpstream) -> None:
        first, second = (await meant.search("kestrel engine", explain=True))["data"][:2]
        assert (first["score"], first["retinue"]["reranked"]) == (0.9, True)
        assert first["retinue"]["score"] < second["retinue"]["score"]
