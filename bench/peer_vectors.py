"""Chroma or LanceDB on vectors that are given: run by vectors.py with the Python of the peers' environment.

    python peer_vectors.py chroma|lancedb FOLDER STORES

Prints latencies (ms), recall@20 and vectors indexed a second, as JSON, for one collection and for many.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

# Neither says anything to anybody.
os.environ |= {"ANONYMIZED_TELEMETRY": "False", "ORT_DISABLE_TELEMETRY": "1", "LANCEDB_DISABLE_TELEMETRY": "1"}
K = 20
BATCH = 5_000


class Chroma:
    name = "Chroma"

    def __init__(self, folder):
        import chromadb
        from chromadb.config import Settings

        self.client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        self.name = f"Chroma {chromadb.__version__}"

    def make(self, name, vectors, index):
        collection = self.client.create_collection(
            name, configuration={"hnsw": {"space": "ip", "ef_search": 120}}, embedding_function=None
        )
        for start in range(0, len(vectors), BATCH):
            part = vectors[start : start + BATCH]
            collection.add(ids=[str(start + one) for one in range(len(part))], embeddings=part)
        return collection

    def ask(self, collection, query):
        return {int(one) for one in collection.query(query_embeddings=[query], n_results=K, include=[])["ids"][0]}


class LanceDB:
    def __init__(self, folder):
        import lancedb

        self.client = lancedb.connect(str(folder))
        self.name = f"LanceDB {lancedb.__version__}"

    def make(self, name, vectors, index):
        import pyarrow as pa

        schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float32(), vectors.shape[1]))])
        table = self.client.create_table(name, schema=schema)
        for start in range(0, len(vectors), BATCH):
            part = vectors[start : start + BATCH]
            flat = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), part.shape[1])
            table.add(pa.table({"id": pa.array(range(start, start + len(part))), "vector": flat}, schema=schema))
        if index:
            table.create_index(metric="dot", vector_column_name="vector", index_type="IVF_HNSW_SQ")
        return table

    def ask(self, table, query):
        found = table.search(query).distance_type("dot").limit(K).nprobes(20).ef(120).refine_factor(2).select(["id"])
        return set(found.to_arrow()["id"].to_pylist())


def measured(peer, asks, wanted):
    for collection, query in asks[: len(asks) // 10]:
        peer.ask(collection, query)
    latencies, hits = [], 0
    for (collection, query), right in zip(asks, wanted, strict=True):
        begun = time.perf_counter()
        got = peer.ask(collection, query)
        latencies.append((time.perf_counter() - begun) * 1000)
        hits += len(got & set(right))
    return {"latencies": latencies, "recall": hits / sum(map(len, wanted))}


def main():
    kind, folder, stores = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
    peer = {"chroma": Chroma, "lancedb": LanceDB}[kind](folder / kind)
    begun = time.perf_counter()
    whole = peer.make("large", vectors, True)
    rate = len(vectors) / (time.perf_counter() - begun)
    wanted = json.loads((folder / "wanted.json").read_text())
    large = measured(peer, [(whole, query) for query in queries], wanted) | {"rate": rate}
    size = len(vectors) // stores
    begun = time.perf_counter()
    made = [peer.make(f"store-{one}", vectors[one * size : (one + 1) * size], False) for one in range(stores)]
    rate = stores * size / (time.perf_counter() - begun)
    places = [(number * 37) % stores for number in range(len(queries))]
    wanted = [
        np.argsort(-(vectors[place * size : (place + 1) * size] @ query))[:K].tolist()
        for place, query in zip(places, queries, strict=True)
    ]
    small = measured(peer, [(made[place], query) for place, query in zip(places, queries, strict=True)], wanted) | {
        "rate": rate
    }
    print(json.dumps({"name": peer.name, "large": large, "small": small}))


main()
