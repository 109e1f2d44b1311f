"""Vectors and words in large and small stores: latency, recall and speed of indexing, beside Chroma and LanceDB.

    .venv/bin/python bench/vectors.py [--chunks 100000] [--stores 1000] [--only retinue|peers]

The same vectors go into every database in one run: mixtures of clusters on a plane of 48 dimensions, turned into 512.
Queries come from the same mixtures and are none of the vectors. Recall is against comparing with every vector in 32-bit
floats. Texts have words that are as frequent as Zipf's law says. Embedding is left out: a search of Retinue gets its
query's vector from the one who measures. The peers search vectors only, in their own process and memory. Before
searches are timed the tables are vacuumed, as the database would do by itself some minutes later.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from peers import environment
from results import circumstances, write_section
from retinue.accounts.keys import Caller
from retinue.accounts.usage import UsageMeter
from retinue.inference.embeddings.embedder import Embedded
from retinue.knowledge.search import Search
from retinue.knowledge.words import postings
from retinue.settings import Settings
from retinue.store.chunk import Chunk
from retinue.store.chunks import Claim
from retinue.store.embedded import EmbeddedPostgres
from retinue.store.migrate import migrate
from retinue.store.store import Store
from retinue.wire.files import FileObject
from retinue.wire.vector_stores import DEFAULT_CHUNKING, VectorStore, VectorStoreFile
from servers import HERE

DIMENSIONS, PLANE, CLUSTERS, QUERIES, K = 512, 48, 500, 200, 20
#: Words of a text and of a query; different words that there are.
TEXT, QUERY, VOCABULARY = 120, 8, 50_000
PROJECT, MODEL = "proj_bench", "bench-vectors"
#: Chunks of a file in the large store.
FILE = 1_000
SEED = 5


class Data:
    """What is stored and asked for."""

    def __init__(self, chunks: int) -> None:
        random = np.random.default_rng(SEED)
        turn = random.standard_normal((PLANE, DIMENSIONS), dtype="f4")
        centres = random.standard_normal((CLUSTERS, PLANE), dtype="f4")

        def drawn(count: int) -> np.ndarray:
            points = centres[random.integers(CLUSTERS, size=count)]
            points = points + 0.7 * random.standard_normal((count, PLANE), dtype="f4")
            vectors = points @ turn + 0.5 * random.standard_normal((count, DIMENSIONS), dtype="f4")
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

        self.vectors, self.queries = drawn(chunks), drawn(QUERIES)
        frequency = 1 / np.arange(1, VOCABULARY + 1)
        self._frequency = np.cumsum(frequency / frequency.sum())
        self._random = random

    def texts(self, count: int, words: int) -> list[str]:
        """Texts of words that are as frequent as Zipf's law says."""
        numbers = np.searchsorted(self._frequency, self._random.random((count, words)))
        return [" ".join(f"w{number}" for number in row) for row in numbers]

    def nearest(self, among: np.ndarray, query: np.ndarray) -> set[int]:
        """The numbers of the nearest vectors, by comparing with each."""
        return set(np.argsort(-(among @ query))[:K].tolist())


class GivenVectors:
    """An embedding model that knows the queries; other texts get vectors of their own."""

    def __init__(self, vectors: dict[str, np.ndarray]) -> None:
        self._vectors = vectors
        self._random = np.random.default_rng(SEED)

    def find(self, *_: Any, **__: Any) -> "GivenVectors":
        return self

    async def embed(self, inputs: list[str], **_: Any) -> Embedded:
        return Embedded(np.stack([self._vector(text) for text in inputs]), 0)

    def _vector(self, text: str) -> np.ndarray:
        known = self._vectors.get(text)
        return self._random.standard_normal(DIMENSIONS, dtype="f4") if known is None else known


class NoRerankers:
    def find(self) -> None:
        return None


@dataclass
class Timed:
    """Latencies in milliseconds and recall."""

    latencies: list[float]
    recall: float

    def cells(self) -> str:
        p = statistics.quantiles(self.latencies, n=100)
        return f"{p[49]:.2f} | {p[94]:.2f} | {self.recall:.3f}"


async def timed(ask: Callable[[int], Awaitable[set[int]]], wanted: list[set[int]]) -> Timed:
    """Each query alone, one after the other, after a tenth of them to get warm."""
    for number in range(len(wanted) // 10):
        await ask(number)
    latencies, hits = [], 0
    for number, right in enumerate(wanted):
        begun = time.perf_counter()
        got = await ask(number)
        latencies.append((time.perf_counter() - begun) * 1000)
        hits += len(got & right)
    return Timed(latencies, hits / sum(map(len, wanted)))


# --- Retinue


@asynccontextmanager
async def retinue(folder: Path) -> AsyncIterator[Store]:
    async with EmbeddedPostgres(folder) as postgres:
        await migrate(postgres.conninfo)
        store = Store(postgres.conninfo, Settings(data=folder))
        await store.open()
        try:
            yield store
        finally:
            await store.close()


async def make_store(store: Store, files: int) -> tuple[VectorStore, list[Claim]]:
    """A vector store with empty files that are claimed for processing."""
    now = int(time.time())
    made = VectorStore(id=f"vs_{time.time_ns()}", created_at=now, last_active_at=now)

    async def nothing() -> AsyncIterator[bytes]:
        yield b"x"

    ids = []
    for _ in range(files):
        received = await store.files.receive(nothing())
        file = FileObject(
            id=received.id, bytes=1, created_at=now, filename="x.txt", purpose="assistants", sha256=received.sha256
        )
        await store.files.add(PROJECT, file)
        ids.append(file.id)
    entries = [
        VectorStoreFile(id=one, created_at=now, vector_store_id=made.id, chunking_strategy=DEFAULT_CHUNKING)
        for one in ids
    ]
    await store.vector_stores.add(PROJECT, made, entries)
    await store.vector_stores.name_embedder(PROJECT, made.id, MODEL)
    rows = await store.database.rows(
        "select position from vector_store_files where vector_store_id = %(store)s order by position",
        {"store": made.id},
    )
    claims = [await store.vector_store_files.claim(row[0]) for row in rows]
    return made, [claim for claim in claims if claim]


async def fill(store: Store, pool: ProcessPoolExecutor, claim: Claim, texts: list[str], vectors: np.ndarray) -> None:
    """What ingestion does with a file, but for reading and embedding it."""
    words, length = await asyncio.get_running_loop().run_in_executor(pool, postings, texts)
    for first in range(0, len(texts), 200):
        part = [Chunk(0, TEXT, text) for text in texts[first : first + 200]]
        await store.chunks.add(claim, part, first)
    await store.chunks.add_words(claim, words)
    await store.chunks.cut_done(claim, len(texts), length)
    for first in range(0, len(texts), 500):
        part = vectors[first : first + 500]
        await store.chunks.add_vectors(claim, range(first, first + len(part)), part)
    await store.vector_store_files.complete(claim)


def search_service(store: Store, data: Data, queries: list[str]) -> Search:
    return Search(
        store, GivenVectors(dict(zip(queries, data.queries, strict=True))), NoRerankers(), UsageMeter(store.usage)
    )  # type: ignore


async def vacuum(store: Store) -> None:
    """What the database does by itself within minutes, at the cost of a core."""
    for table in ("files", "vector_store_files", "chunks", "chunk_vectors", "chunk_words", "word_lists"):
        await store.database.execute(f"vacuum (analyze) {table}", {})


async def large(store: Store, pool: ProcessPoolExecutor, data: Data) -> tuple[list[str], Timed]:
    """One store with all chunks."""
    count = len(data.vectors)
    texts = data.texts(count, TEXT)
    made, claims = await make_store(store, count // FILE)
    begun = time.perf_counter()
    for number in range(0, len(claims), 2):
        await asyncio.gather(
            *(
                fill(store, pool, claim, texts[place : place + FILE], data.vectors[place : place + FILE])
                for claim, place in ((claims[one], one * FILE) for one in range(number, min(number + 2, len(claims))))
            )
        )
    written = time.perf_counter() - begun
    (scope,) = await store.search.scopes(PROJECT, [made.id])
    await store.vector_index.index(str(scope.position))
    whole = time.perf_counter() - begun
    await vacuum(store)
    first = {claim.position: number * FILE for number, claim in enumerate(claims)}
    wanted = [data.nearest(data.vectors, query) for query in data.queries]
    queries = data.texts(QUERIES, QUERY)
    search = search_service(store, data, queries)

    async def dense(number: int) -> set[int]:
        return {first[hit.file] + hit.number for hit in await store.search.nearest(scope, data.queries[number], K)}

    async def exact(number: int) -> set[int]:
        hits = await store.search.nearest(scope, data.queries[number], K, exact=True)
        return {first[hit.file] + hit.number for hit in hits}

    async def words(number: int) -> set[int]:
        await store.search.postings(scope, queries[number].split())
        return wanted[number]

    async def hybrid(number: int) -> set[int]:
        await search.search(Caller(PROJECT), [made.id], [queries[number]], K)
        return wanted[number]

    rows = [f"| vectors, index | {(indexed := await timed(dense, wanted)).cells()} |"]
    rows.append(f"| vectors, each compared | {(await timed(exact, wanted)).cells()} |")
    rows.append(f"| postings of {QUERY} words read | {_only_times(await timed(words, wanted))} |")
    rows.append(f"| whole search: both, fused, texts read | {_only_times(await timed(hybrid, wanted))} |")
    speed = (
        f"Indexing {count} chunks of {TEXT} words (words counted, texts, postings and vectors written, index built): "
        f"{count / whole:.0f} chunks/s; searchable, with vectors compared one by one, after {written:.0f} s, indexed "
        f"after {whole:.0f} s."
    )
    return [f"### One store of {count} chunks", "", *_table(rows), "", speed, ""], indexed


async def small(store: Store, pool: ProcessPoolExecutor, data: Data, stores: int) -> list[str]:
    """Many stores with a hundred chunks each."""
    size = len(data.vectors) // stores
    texts = data.texts(len(data.vectors), TEXT)
    made: list[str] = []
    spent = 0.0
    for number in range(stores):
        one, (claim,) = await make_store(store, 1)
        made.append(one.id)
        begun = time.perf_counter()
        part = slice(number * size, (number + 1) * size)
        await fill(store, pool, claim, texts[part], data.vectors[part])
        spent += time.perf_counter() - begun
    await vacuum(store)
    scopes = {scope.id: scope for scope in await store.search.scopes(PROJECT, made)}
    places = [(number * 37) % stores for number in range(QUERIES)]
    wanted = [
        data.nearest(data.vectors[place * size : (place + 1) * size], query)
        for place, query in zip(places, data.queries, strict=True)
    ]
    queries = data.texts(QUERIES, QUERY)
    search = search_service(store, data, queries)

    async def dense(number: int) -> set[int]:
        hits = await store.search.nearest(scopes[made[places[number]]], data.queries[number], K)
        return {hit.number for hit in hits}

    async def hybrid(number: int) -> set[int]:
        await search.search(Caller(PROJECT), [made[places[number]]], [queries[number]], K)
        return wanted[number]

    rows = [f"| vectors | {(await timed(dense, wanted)).cells()} |"]
    rows.append(f"| whole search | {_only_times(await timed(hybrid, wanted))} |")
    speed = f"Indexing, one file after the other: {stores * size / spent:.0f} chunks/s."
    return [f"### {stores} stores of {size} chunks", "", *_table(rows), "", speed, ""]


def _table(rows: list[str]) -> list[str]:
    return ["| Retinue | p50 ms | p95 ms | recall@20 |", "|---|---|---|---|", *rows]


def _only_times(measured: Timed) -> str:
    return measured.cells().rpartition(" | ")[0] + " | "


# --- peers


def peers(folder: Path, data: Data, stores: int) -> list[str]:
    """Chroma and LanceDB on the same vectors, in a process of their own."""
    np.save(folder / "vectors.npy", data.vectors)
    np.save(folder / "queries.npy", data.queries)
    wanted = [sorted(data.nearest(data.vectors, query)) for query in data.queries]
    (folder / "wanted.json").write_text(json.dumps(wanted))
    python = environment("vectors", (3, 11)) / "python"
    rows = []
    for peer in ("chroma", "lancedb"):
        done = subprocess.run(
            [str(python), str(HERE / "peer_vectors.py"), peer, str(folder), str(stores)],
            capture_output=True,
            text=True,
            timeout=3600,
        )
        if done.returncode:
            rows.append(f"| {peer} | failed: {done.stderr.strip().splitlines()[-1]} |")
            continue
        result = json.loads(done.stdout.strip().splitlines()[-1])
        for place in ("large", "small"):
            one = result[place]
            cells = Timed(one["latencies"], one["recall"]).cells()
            rows.append(f"| {result['name']}, {place} | {cells} | {one['rate']:.0f} |")
    return [
        "### Chroma and LanceDB, vectors only",
        "",
        f"`large` is one collection with all vectors, `small` is {stores} collections.",
        "",
        "| peer | p50 ms | p95 ms | recall@20 | vectors indexed/s |",
        "|---|---|---|---|---|",
        *rows,
    ]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--stores", type=int, default=1_000)
    parser.add_argument("--only", choices=("retinue", "peers"))
    arguments = parser.parse_args()
    data = Data(arguments.chunks)
    lines: list[str] = [circumstances(), ""]
    with tempfile.TemporaryDirectory(prefix="retinue-bench-") as name:
        folder = Path(name)
        if arguments.only != "peers":
            with ProcessPoolExecutor(2) as pool:
                async with retinue(folder / "retinue") as store:
                    rows, _ = await large(store, pool, data)
                    lines += rows
                    lines += await small(store, pool, data, arguments.stores)
        if arguments.only != "retinue":
            lines += peers(folder, data, arguments.stores)
    if arguments.only:
        print("\n".join(lines))
    else:
        write_section("Vectors", lines)


if __name__ == "__main__":
    uvloop.run(main())
