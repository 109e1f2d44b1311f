"""`POST /v1/vector_stores/{id}/search`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from retinue.model_settings import DEFAULT_EMBEDDING_MODEL, ModelSettings
from retinue.settings import Settings

from ..harness import Api, Json, Server, empty, serving
from ..indexing import index
from ..json_upstream import JsonUpstream, json_upstream
from ..scripted import Reply, ScriptedUpstream

pytestmark = pytest.mark.settings(serve_worker=False)

BIRDS = "The kestrel hovers over meadows and eats voles.\n\nThe heron stands in shallow water and eats fish."
POEM = "床前明月光，疑是地上霜。\n\n举头望明月，低头思故乡。"
PLANES = "The Harrier hovers like no other jet.\n\nGliders have no engine."


def files_of(page: Json) -> list[str]:
    return [one["filename"] for one in page["data"]]


def texts_of(page: Json) -> list[str]:
    return [one["content"][0]["text"] for one in page["data"]]


class Stored:
    """A vector store with three files, indexed by words."""

    def __init__(self, api: Api, identifier: str, files: dict[str, str]) -> None:
        self.id = identifier
        self.files = files
        self.path = f"/vector_stores/{identifier}/search"
        self._api = api

    async def search(self, query: Any, **options: Any) -> Json:
        return await self._api.post(self.path, {"query": query, **options})

    async def refused(self, status: int = 400, **body: Any) -> Json:
        return await self._api.refused("POST", self.path, {"query": "birds", **body}, status=status)


async def stored(api: Api, server: Server, **texts: str) -> Stored:
    files = {name: await api.file(text, f"{name}.txt") for name, text in texts.items()}
    entries = [{"file_id": file, "attributes": {"name": name, "size": len(name)}} for name, file in files.items()]
    store = (await api.post("/vector_stores"))["id"]
    await api.post(f"/vector_stores/{store}/file_batches", {"files": entries})
    await index(server)
    return Stored(api, store, files)


@pytest.fixture
async def store(api: Api, server: Server) -> Stored:
    """Birds, planes and a poem."""
    return await stored(api, server, birds=BIRDS, poem=POEM, planes=PLANES)


# --- results


async def test_a_result(store: Stored) -> None:
    page = await store.search("Which bird eats voles?")
    (best, *_) = page["data"]
    assert page["search_query"] == ["Which bird eats voles?"]
    assert (page["has_more"], page["next_page"]) == (False, None)
    assert best["file_id"] == store.files["birds"]
    assert best["filename"] == "birds.txt"
    assert best["attributes"] == {"name": "birds", "size": 5}
    assert best["content"] == [{"type": "text", "text": BIRDS.partition("\n\n")[0]}]
    scores = [one["score"] for one in page["data"]]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] <= scores[0] <= 1


async def test_chinese(store: Stored) -> None:
    assert texts_of(await store.search("故乡"))[:1] == ["举头望明月，低头思故乡。"]
    assert files_of(await store.search("明月")) == ["poem.txt", "poem.txt"]


async def test_nothing_found(store: Stored) -> None:
    for query in ("nothing has this", "the of and", "的", "!?", " ", "x & | ! ' :* y", "\U0001f600"):
        assert (await store.search(query))["data"] == [], query


async def test_several_queries_find_each_chunk_once(store: Stored) -> None:
    alone = await store.search("故乡")
    page = await store.search(["hovers", "kestrel", "故乡", "hovers"])
    assert page["search_query"] == ["hovers", "kestrel", "故乡"]
    assert sorted(files_of(page)) == ["birds.txt", "planes.txt", "poem.txt"]
    scores = {one["filename"]: one["score"] for one in page["data"]}
    assert scores["poem.txt"] == alone["data"][0]["score"]
    assert scores["birds.txt"] > scores["planes.txt"] * 0.99


async def test_limit_and_threshold(store: Stored) -> None:
    page = await store.search("hovers over water fish")
    assert len(page["data"]) > 2
    assert (await store.search("hovers over water fish", max_num_results=2))["data"] == page["data"][:2]
    edge = page["data"][1]["score"]
    for ranker in ("auto", "none", "default-2024-11-15", "default_2024_08_21", None):
        options = {"ranker": ranker, "score_threshold": edge}
        assert (await store.search("hovers over water fish", ranking_options=options))["data"] == page["data"][:2]
    assert (await store.search("hovers", ranking_options={"score_threshold": 1}))["data"] == []


async def test_files_that_are_still_being_read_are_not_found(api: Api, store: Stored) -> None:
    late = await api.file("The buzzard hovers, too.", "late.txt")
    await api.post(f"/vector_stores/{store.id}/files", {"file_id": late})
    assert (await api.get(f"/vector_stores/{store.id}"))["status"] == "in_progress"
    assert sorted(files_of(await store.search("hovers"))) == ["birds.txt", "planes.txt"]


async def test_searching_keeps_a_store_alive(api: Api, server: Server, store: Stored) -> None:
    stores = server.app.state.store.vector_stores
    expiry = {"anchor": "last_active_at", "days": 1}
    await stores.patch("proj_default", store.id, {"expires_after": expiry, "last_active_at": 1})
    await store.search("hovers")
    assert (await api.get(f"/vector_stores/{store.id}"))["last_active_at"] > 1


async def test_an_expired_store(server: Server, store: Stored) -> None:
    await server.app.state.store.vector_stores.patch("proj_default", store.id, {"expires_at": 1})
    assert "has expired" in (await store.refused())["message"]
    assert "has expired" in (await store.refused(rewrite_query=True))["message"]


# --- what is gone, and what is others'


async def test_what_is_deleted_is_not_found(api: Api, store: Stored) -> None:
    await api.delete(f"/vector_stores/{store.id}/files/{store.files['planes']}")
    assert files_of(await store.search("hovers")) == ["birds.txt"]
    await api.delete(f"/files/{store.files['birds']}")
    assert files_of(await store.search("hovers")) == []
    assert files_of(await store.search("明月")) == ["poem.txt"] * 2
    await api.delete(f"/vector_stores/{store.id}")
    await store.refused(404)


async def test_attributes_as_they_are_now(api: Api, store: Stored) -> None:
    path = f"/vector_stores/{store.id}/files/{store.files['poem']}"
    await api.post(path, {"attributes": {"dynasty": "Tang"}})
    only = {"type": "eq", "key": "dynasty", "value": "Tang"}
    page = await store.search("明月 hovers", filters=only)
    assert files_of(page) == ["poem.txt"] * 2
    assert page["data"][0]["attributes"] == {"dynasty": "Tang"}


async def test_projects_do_not_see_each_other(api: Api, other: Api, server: Server, store: Stored) -> None:
    theirs = await stored(other, server, birds="Their kestrel hovers elsewhere.")
    assert (await other.refused("POST", store.path, {"query": "kestrel"}, status=404)) == (
        await other.refused("POST", "/vector_stores/vs_none/search", {"query": "kestrel"}, status=404)
    ) | {"message": f"No vector store found with id '{store.id}'."}
    assert texts_of(await theirs.search("kestrel")) == ["Their kestrel hovers elsewhere."]
    assert "Their" not in "".join(texts_of(await store.search("kestrel")))


# --- requests


BAD: list[tuple[Json, str]] = [
    ({"query": ""}, "query"),
    ({"query": []}, "query"),
    ({"query": None}, "query"),
    ({"query": "x" * 4097}, "query"),
    ({"query": ["x"] * 17}, "query"),
    ({"query": ["x", 5]}, "query[1]"),
    ({"max_num_results": 0}, "max_num_results"),
    ({"max_num_results": 51}, "max_num_results"),
    ({"rewrite_query": "yes"}, "rewrite_query"),
    ({"ranking_options": {"ranker": "best"}}, "ranking_options.ranker"),
    ({"ranking_options": {"score_threshold": 1.1}}, "ranking_options.score_threshold"),
    (
        {"ranking_options": {"hybrid_search": {"embedding_weight": 0, "text_weight": 0}}},
        "ranking_options.hybrid_search",
    ),
    ({"filters": {"type": "like", "key": "a", "value": "b"}}, "filters.type"),
    ({"filters": {"type": "eq", "key": "a"}}, "filters.value"),
    ({"filters": {"type": "and"}}, "filters.filters"),
    ({"filters": {"type": "in", "key": "a", "value": "b"}}, "filters"),
    ({"filters": {"type": "eq", "key": "a", "value": ["b"]}}, "filters"),
    ({"filters": {"type": "gt", "key": "a", "value": True}}, "filters"),
    ({"filter": {}}, "filter"),
]


async def test_bad_requests(store: Stored) -> None:
    for body, param in BAD:
        assert (await store.refused(**body))["param"] == param, body


async def test_filters_without_end(store: Stored) -> None:
    one: Json = {"type": "eq", "key": "name", "value": "birds"}
    deep = one
    for _ in range(8):
        deep = {"type": "and", "filters": [deep]}
    assert "nested too deep" in (await store.refused(filters=deep))["message"]
    assert files_of(await store.search("hovers", filters=deep["filters"][0])) == ["birds.txt"]
    wide = {"type": "or", "filters": [{"type": "or", "filters": [one] * 60}] * 5}
    assert "too many filters" in (await store.refused(filters=wide))["message"]
    assert files_of(await store.search("hovers", filters={"type": "or", "filters": wide["filters"][:4]})) == [
        "birds.txt"
    ]


# --- filters

KEYS = st.sampled_from(["a", "b", "种类", 'it\'s "%s"'])
TEXTS = st.sampled_from(["", "A", "B", "a", "ä", "中", "10", "true", "9"])
NUMBERS = st.sampled_from([0, 1, -1, 10, 9, 1.0, 0.5, 2**53, 1e300, -0.0])
ATTRIBUTES = st.dictionaries(KEYS, st.one_of(TEXTS, NUMBERS, st.booleans()), max_size=3)
COMPARISONS = st.one_of(
    st.tuples(st.sampled_from(["eq", "ne"]), KEYS, st.one_of(TEXTS, NUMBERS, st.booleans())),
    st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), KEYS, st.one_of(TEXTS, NUMBERS)),
    st.tuples(st.sampled_from(["in", "nin"]), KEYS, st.lists(st.one_of(TEXTS, NUMBERS), max_size=4)),
).map(lambda one: {"type": one[0], "key": one[1], "value": one[2]})
FILTERS = st.recursive(
    COMPARISONS,
    lambda inner: st.builds(
        lambda kind, filters: {"type": kind, "filters": filters},
        st.sampled_from(["and", "or"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)


def kind(value: Any) -> type:
    return bool if isinstance(value, bool) else str if isinstance(value, str) else float


def same(one: Any, other: Any) -> bool:
    return kind(one) is kind(other) and one == other


ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda one, other: one > other,
    "gte": lambda one, other: one >= other,
    "lt": lambda one, other: one < other,
    "lte": lambda one, other: one <= other,
}


def fits(attributes: Json, wanted: Json) -> bool:
    """What the documentation says about filters, in Python."""
    if wanted["type"] in ("and", "or"):
        each = [fits(attributes, one) for one in wanted["filters"]]
        return all(each) if wanted["type"] == "and" else any(each)
    there, value = wanted["key"] in attributes, wanted["value"]
    own = attributes.get(wanted["key"])
    match wanted["type"]:
        case "eq":
            return there and same(own, value)
        case "ne":
            return not (there and same(own, value))
        case "in":
            return there and any(same(own, one) for one in value)
        case "nin":
            return not (there and any(same(own, one) for one in value))
        case order:
            return there and kind(own) is kind(value) and ORDERS[order](own, value)


# The server beside it draws random numbers in threads of its own, which Hypothesis takes for the strategies'.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
async def test_filters_mean_what_they_say(api: Api, server: Server) -> None:
    file = [await api.file("Word.", f"{number}.txt") for number in range(12)]
    store = (await api.post("/vector_stores", {"file_ids": file}))["id"]
    await index(server)
    loop = asyncio.get_running_loop()

    async def check(attributes: list[Json], filters: list[Json]) -> None:
        files = server.app.state.store.vector_store_files
        held = list(zip(file, attributes, strict=True))
        await asyncio.gather(*(files.patch("proj_default", one, {"attributes": own}, store) for one, own in held))
        bodies = [{"query": "word", "filters": wanted, "max_num_results": 50} for wanted in filters]
        pages = await asyncio.gather(*(api.post(f"/vector_stores/{store}/search", body) for body in bodies))
        for wanted, page in zip(filters, pages, strict=True):
            found = {one["file_id"] for one in page["data"]}
            assert found == {one for one, own in held if fits(own, wanted)}, (wanted, held)

    @examples(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(ATTRIBUTES, min_size=12, max_size=12), st.lists(FILTERS, min_size=8, max_size=8))
    def run(attributes: list[Json], filters: list[Json]) -> None:
        asyncio.run_coroutine_threadsafe(check(attributes, filters), loop).result()

    await asyncio.to_thread(run)


# --- rewriting the query


async def test_a_query_is_rewritten(api: Api, upstream: ScriptedUpstream, store: Stored) -> None:
    upstream.script(Reply(text='1. kestrel diet\n2. "明月"\n\n- kestrel diet\n' + "x" * 300))
    page = await store.search("Hello! Could you tell me what kestrels eat?", rewrite_query=True)
    assert page["search_query"] == ["kestrel diet", "明月"]
    assert sorted(set(files_of(page))) == ["birds.txt", "poem.txt"]
    (request,) = upstream.requests
    assert request["messages"][-1]["content"].count("Hello! Could you tell me what kestrels eat?") == 1
    assert request["max_tokens"] <= 200
    assert request["messages"][0]["role"] == "system"


@pytest.mark.parametrize(
    "reply",
    [Reply(text="\n \n"), Reply(status=500, error={"message": "no"}), Reply(status=400), Reply(malformed=True)],
)
async def test_a_query_that_cannot_be_rewritten_stays(upstream: ScriptedUpstream, store: Stored, reply: Reply) -> None:
    upstream.script(reply)
    page = await store.search(["kestrel", "明月"], rewrite_query=True)
    assert page["search_query"] == ["kestrel", "明月"]
    assert len(page["data"]) == 3


@pytest.mark.settings(serve_worker=False, rewrite_timeout=0.1)
async def test_a_model_that_does_not_answer(upstream: ScriptedUpstream, store: Stored) -> None:
    upstream.script(Reply(hang=True))
    assert (await store.search("kestrel", rewrite_query=True))["search_query"] == ["kestrel"]


# --- vectors and the reranker

#: What the embedding model of these tests knows: each line is one meaning.
MEANINGS = (("kestrel", "falcon", "红隼"), ("voles", "mice", "鼠"), ("heron", "鹭"), ("engine", "motor", "发动机"))


def embed(body: Json) -> Json:
    """A vector for each text: how often it has a word of each meaning, and a rest."""
    vectors = [
        [float(sum(text.lower().count(word) for word in words)) for words in MEANINGS] + [0.2] for text in body["input"]
    ]
    return {"data": [{"index": number, "embedding": vector} for number, vector in enumerate(vectors)]}


def rank(body: Json) -> Json:
    """Kestrels first, whatever is asked."""
    scores = [0.9 if "kestrel" in text else 0.1 for text in body["documents"]]
    return {"results": [{"index": number, "relevance_score": score} for number, score in enumerate(scores)]}


@pytest.fixture
async def models() -> AsyncIterator[JsonUpstream]:
    """The server of an embedding model and a reranker."""
    async with json_upstream() as upstream:
        upstream.answers = {"/embeddings": embed, "/rerank": rank}
        yield upstream


@pytest.fixture
async def meant(api: Api, server: Server, store: Stored) -> Stored:
    """The store, with a file more, which has vectors."""
    file = await api.file(BIRDS + "\n\n" + PLANES, "all.txt")
    made = (await api.post("/vector_stores", {"file_ids": [file]}))["id"]
    await index(server, embedder=server.app.state.embedders.find())
    return Stored(api, made, {"all": file})


@pytest.fixture
def with_models(request: pytest.FixtureRequest, settings: Settings, models: JsonUpstream) -> Settings:
    """The application's settings, with both models."""
    served = ModelSettings(base_url=models.base_url, retries=0)
    settings.models |= {"vectors": served, "judge": served}
    settings.default_embedding_model = "vectors"
    return settings


class TestWithVectors:
    """By meaning and words."""

    @pytest.fixture
    async def server(self, postgres: str, with_models: Settings) -> AsyncIterator[Server]:
        empty(postgres)
        async with serving(with_models, postgres) as server:
            yield server

    async def test_by_meaning(self, meant: Stored) -> None:
        for query in ("falcon", "红隼"):
            page = await meant.search(query)
            assert texts_of(page)[0].startswith("The kestrel")
        assert texts_of(await meant.search("motor"))[0] == "Gliders have no engine."

    async def test_weights(self, meant: Stored) -> None:
        words = {"hybrid_search": {"embedding_weight": 0, "text_weight": 1}}
        assert (await meant.search("falcon", ranking_options=words))["data"] == []
        assert texts_of(await meant.search("Gliders", ranking_options=words)) == ["Gliders have no engine."]
        meaning = {"hybrid_search": {"embedding_weight": 2, "text_weight": 0}}
        assert texts_of(await meant.search("falcon Gliders", ranking_options=meaning))[0].startswith("The kestrel")

    async def test_vectors_of_late_are_remembered(self, meant: Stored, models: JsonUpstream) -> None:
        first = await meant.search(["falcon", "motor"])
        asked = len(models.requests)
        assert await meant.search(["falcon", "motor"]) == first
        assert len(models.requests) == asked
        await meant.search(["falcon", "heron"])
        assert [body["input"] for _, body in models.requests[asked:]] == [["heron"]]

    async def test_without_the_embedding_model_words_decide(self, meant: Stored, models: JsonUpstream) -> None:
        models.answers["/embeddings"] = lambda body: (500, {"error": {"message": "away"}})
        assert texts_of(await meant.search("Gliders falcon"))[0] == "Gliders have no engine."
        assert (await meant.search("falcon"))["data"] == []

    @pytest.mark.settings(serve_worker=False, default_reranker="judge")
    async def test_a_reranker(self, meant: Stored, models: JsonUpstream) -> None:
        plain = await meant.search("kestrel engine", ranking_options={"ranker": "none"})
        assert texts_of(plain)[0] == "Gliders have no engine."
        page = await meant.search("kestrel engine")
        assert texts_of(page)[0].startswith("The kestrel")
        assert [one["score"] for one in page["data"][:2]] == [0.9, 0.1]
        above = await meant.search("kestrel engine", ranking_options={"score_threshold": 0.5})
        assert above["data"] == page["data"][:1]
        models.answers["/rerank"] = lambda body: (500, {"error": {"message": "away"}})
        assert (await meant.search("kestrel engine"))["data"] == plain["data"]


# --- the local model


@pytest.mark.settings(default_embedding_model=DEFAULT_EMBEDDING_MODEL)
async def test_by_meaning_in_english_and_chinese(api: Api, server: Server) -> None:
    texts = {"birds": BIRDS, "poem": POEM, "planes": PLANES, "rates": "Mortgages became dearer when rates rose."}
    files = [await api.file(text, f"{name}.txt") for name, text in texts.items()]
    store = (await api.post("/vector_stores", {"file_ids": files}))["id"]
    await index(server, embedder=server.app.state.embedders.find())
    # None of these has a word in common with what it must find.
    asked = {"small falcons hunting mice": "birds", "想念家": "poem", "高い金利": "rates", "home loans": "rates"}
    for query, name in asked.items():
        found = await api.post(f"/vector_stores/{store}/search", {"query": query})
        assert files_of(found)[:1] == [f"{name}.txt"], query
