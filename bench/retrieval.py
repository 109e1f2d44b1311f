"""Measures what searches of vector stores find, through the public API: by meaning, by words, and by both.

    python bench/retrieval.py FOLDER... [--model NAME...]

Each folder is a collection: `corpus.jsonl` and `queries.jsonl` with `id` and `text` in every line, and `qrels.tsv` with
query, document and grade. For each embedding model a Retinue is started on a fresh data folder; every collection
becomes a vector store with one file, of one chunk, for each document; and every query is asked three times. Writes
RETRIEVAL.md. Everything it starts ends with it, after at most --limit seconds.
"""

import argparse
import asyncio
import math
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from embedders import DEPTH, grades, ndcg, read
from results import circumstances
from servers import HERE, KEY, limited, serve_retinue

MODELS = ("universal-sentence-encoder-multilingual", "multilingual-e5-small")
#: What results are ranked by: `hybrid_search` of a search's `ranking_options`. None leaves it to Retinue.
WAYS: dict[str, dict[str, float] | None] = {
    "meaning": {"embedding_weight": 1, "text_weight": 0},
    "words": {"embedding_weight": 0, "text_weight": 1},
    "both": None,
}
#: How deep recall looks.
RECALL_DEPTH = 20
#: Requests at once, files of a batch, and seconds between two looks at a vector store.
AT_ONCE, BATCH, LOOK_EVERY = 8, 500, 1
#: One chunk for a document.
CHUNKING = {"type": "static", "static": {"max_chunk_size_tokens": 4096, "chunk_overlap_tokens": 0}}


@dataclass
class Collection:
    """Documents, and queries with what answers them."""

    name: str
    documents: dict[str, str]
    queries: dict[str, str]
    #: By query: documents and how well they answer it.
    relevant: dict[str, dict[str, int]]


@dataclass
class Row:
    """What one model showed on one collection."""

    model: str
    collection: str
    #: Seconds until all documents could be searched.
    indexed: float
    #: By way: nDCG and recall of each query.
    found: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def means(self, way: str) -> tuple[float, float]:
        """Mean nDCG and recall of a way."""
        gains, recalls = zip(*self.found[way], strict=True)
        return statistics.mean(gains), statistics.mean(recalls)

    def gain(self, way: str, over: str) -> tuple[float, float]:
        """By how much nDCG is better one way than another, and the standard error of that."""
        pairs = zip(self.found[way], self.found[over], strict=True)
        differences = [one[0] - other[0] for one, other in pairs]
        return statistics.mean(differences), statistics.stdev(differences) / math.sqrt(len(differences))


def collection(folder: Path) -> Collection:
    """What is in a folder; queries that are empty or that nothing answers are left out."""
    relevant = grades(folder / "qrels.tsv")
    queries = read(folder / "queries.jsonl")
    asked = {identifier: text for identifier, text in queries.items() if text.strip() and identifier in relevant}
    return Collection(folder.name, read(folder / "corpus.jsonl"), asked, relevant)


class Client:
    """A client of the API that asks for a few things at once."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def ask(self, method: str, path: str, **body: object) -> dict:
        """The answer to a request. Raises RuntimeError when it is an error."""
        async with self._slots, self._http.request(method, f"{self._url}/{path}", **body) as answer:
            if answer.status != 200:
                raise RuntimeError(f"{method} {path}: {await answer.text()}")
            return await answer.json()

    async def upload(self, name: str, text: str) -> str:
        """The id of a new file."""
        form = aiohttp.FormData({"purpose": "assistants"})
        form.add_field("file", text.encode(), filename=name)
        return (await self.ask("POST", "files", data=form))["id"]


async def index(client: Client, given: Collection) -> tuple[str, float]:
    """A vector store of a collection, and seconds until all of it could be searched."""
    uploads = [client.upload(f"{identifier}.txt", text) for identifier, text in given.documents.items()]
    files = await asyncio.gather(*uploads)
    store = (await client.ask("POST", "vector_stores", json={"name": given.name}))["id"]
    began = time.perf_counter()
    for start in range(0, len(files), BATCH):
        batch = {"file_ids": files[start : start + BATCH], "chunking_strategy": CHUNKING}
        await client.ask("POST", f"vector_stores/{store}/file_batches", json=batch)
    while (counts := (await client.ask("GET", f"vector_stores/{store}"))["file_counts"])["in_progress"]:
        await asyncio.sleep(LOOK_EVERY)
    if counts["completed"] != len(files):
        raise RuntimeError(f"{given.name}: not all files could be indexed: {counts}")
    return store, time.perf_counter() - began


async def judged(client: Client, store: str, given: Collection, query: str, way: str) -> tuple[float, float]:
    """nDCG and recall of one search."""
    options = {"ranker": "none"} | ({"hybrid_search": weights} if (weights := WAYS[way]) else {})
    body = {"query": given.queries[query], "max_num_results": RECALL_DEPTH, "ranking_options": options}
    answer = await client.ask("POST", f"vector_stores/{store}/search", json=body)
    ranked = [result["filename"].removesuffix(".txt") for result in answer["data"]]
    relevant = given.relevant[query]
    return ndcg(ranked[:DEPTH], relevant), len(relevant.keys() & ranked) / len(relevant)


async def measure_model(model: str, collections: list[Collection], work: Path) -> list[Row]:
    """Index all collections with one model, and search them."""
    settings = f'default_embedding_model = "{model}"\n\n[models."{model}"]\nbackend = "embedder"\nweights = "{model}"\n'
    work.mkdir()
    rows: list[Row] = []
    async with AsyncExitStack() as stack:
        url, _ = await serve_retinue(stack, work, settings)
        http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {KEY}"}, timeout=aiohttp.ClientTimeout(total=300)
        )
        client = Client(await stack.enter_async_context(http), url)
        for given in collections:
            store, seconds = await index(client, given)
            row = Row(model, given.name, seconds)
            for way in WAYS:
                row.found[way] = await asyncio.gather(
                    *(judged(client, store, given, query, way) for query in given.queries)
                )
            rows.append(row)
            print(table([row]))
    return rows


def table(rows: list[Row]) -> str:
    """The rows in Markdown, one line for each way."""
    columns = f"nDCG@{DEPTH} | recall@{RECALL_DEPTH} | nDCG over the better one"
    lines = [f"| collection | embedding model | searched by | {columns} |", "|---|---|---|---|---|---|"]
    for row in rows:
        best = max((way for way in WAYS if way != "both"), key=lambda way, row=row: row.means(way)[0])
        for way in WAYS:
            gain = "{:+.4f} ± {:.4f}".format(*row.gain(way, best)) if way == "both" else ""
            lines.append(
                f"| {row.collection} | `{row.model}` | {way} | {{:.4f}} | {{:.4f}} | {gain} |".format(*row.means(way))
            )
    return "\n".join(lines)


def report(rows: list[Row], collections: list[Collection]) -> str:
    """RETRIEVAL.md."""
    sizes = "; ".join(f"{one.name}: {len(one.documents)} documents, {len(one.queries)} queries" for one in collections)
    times = "; ".join(f"{row.collection} with `{row.model}` {row.indexed:.0f} s" for row in rows)
    return f"""# Retrieval

What searches of vector stores find, by `make bench-retrieval`: through the public API, one file for each document, one
chunk for each file, without a reranker. {circumstances()}

Collections: {sizes}.

nDCG has the grades as its gains, and log2(1 + rank) as its discount. "Meaning" and "words" are searches with
`hybrid_search` weights of 1 and 0, "both" is the default. The last column is the difference in nDCG to the better of
the two, query by query, with its standard error.

{table(sorted(rows, key=lambda row: row.collection))}

Time to index: {times}.
"""


async def measure(options: argparse.Namespace, work: Path) -> None:
    """Measure every model, and write the report."""
    collections = [collection(folder) for folder in options.folders]
    rows: list[Row] = []
    for model in options.model or MODELS:
        rows += await measure_model(model, collections, work / model)
    path = HERE / "RETRIEVAL.md"
    path.write_text(report(rows, collections), encoding="utf-8")
    print(f"Written to {path}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", action="append", choices=MODELS)
    parser.add_argument("--limit", type=float, default=7200, help="seconds after which everything is ended")
    await limited(measure, parser.parse_args())


if __name__ == "__main__":
    asyncio.run(main())
