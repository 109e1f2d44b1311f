"""Measures how files become searchable, and what that does to whoever chats meanwhile.

    python bench/ingestion.py [--chunks 2000] [--quick]

Starts the model-free upstream (upstream.mjs, needs node) and a Retinue as `retinue serve` comes: it embeds with the
local model. Chat requests come at a fixed rate, first while nothing else happens, then while files of about `--chunks`
chunks, of 800 tokens with an overlap of 400, go through everything from upload to `completed`. They ask two models: one
that answers at once, which shows Retinue's own share, and one that takes 200 ms, as a quick model does. Writes its
section of RESULTS.md; with --quick, a short run with few chunks, it prints what it would write.
"""

import argparse
import asyncio
import itertools
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import uvloop

import bench
from results import circumstances, write_section
from servers import MODEL, limited, start_retinue, start_upstream

SLOW_MODEL = "mock-t200-i0-n16"
MODELS = {MODEL: "answers at once", SLOW_MODEL: "takes 200 ms"}
#: Chat requests a second to each of the models.
RATE = 20
#: Files that the chunks are in, and words of a chunk that are not in the one before.
FILES, NEW_WORDS = 4, 145
SEED = 7


@dataclass
class Chat:
    """How long the requests to one model took, in seconds."""

    durations: list[float]
    failures: int = 0

    def p99(self) -> float:
        return bench.percentile(self.durations, 0.99)

    def cells(self) -> str:
        p50 = bench.percentile(self.durations, 0.5)
        return f"{1e3 * p50:.1f} | {1e3 * self.p99():.1f} | {len(self.durations)} | {self.failures}"


@dataclass
class Ingestion:
    """What became of the files."""

    chunks: int
    seconds: float
    cores: float


def texts(chunks: int) -> list[str]:
    """Texts that make about so many chunks: words as frequent as Zipf's law says, in sentences and paragraphs."""
    draw = random.Random(SEED)
    letters = "etaoinshrdlu"
    words = ["".join(draw.choices(letters, k=draw.randint(2, 8))) for _ in range(20_000)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    found = []
    for _ in range(FILES):
        drawn = draw.choices(words, cum_weights=weights, k=chunks * NEW_WORDS // FILES)
        sentences = [" ".join(drawn[at : at + 12]).capitalize() + "." for at in range(0, len(drawn), 12)]
        found.append("\n\n".join(" ".join(sentences[at : at + 6]) for at in range(0, len(sentences), 6)))
    return found


async def chat(target: bench.Target, model: str, until: Callable[[], bool]) -> Chat:
    """Ask `RATE` times a second, however long the answers take, until the condition holds."""
    client, api, result = bench.Client(target), bench.ChatApi(), Chat([])
    request = target.request("POST", api.path, api.body(model, False))
    asked: set[asyncio.Task[None]] = set()
    began = bench.clock()

    async def ask(due: float) -> None:
        try:
            answered = await client.send(request) == 200
        except (OSError, TimeoutError):
            answered = False
        result.failures += not answered
        result.durations.append(bench.clock() - due)

    for number in itertools.count():
        due = began + number / RATE
        await asyncio.sleep(max(0, due - bench.clock()))
        if until():
            break
        asked.add(asyncio.create_task(ask(due)))
    await asyncio.gather(*asked)
    client.close()
    return result


async def chats(target: bench.Target, until: Callable[[], bool]) -> dict[str, Chat]:
    """Chat with all models side by side."""
    return dict(zip(MODELS, await asyncio.gather(*(chat(target, model, until) for model in MODELS)), strict=True))


async def ingest(target: bench.Target, contents: list[str]) -> Ingestion:
    """Upload files, put them into a store, and wait for them. Raises RuntimeError when one fails."""
    headers = {"authorization": f"Bearer {target.key}"}
    async with aiohttp.ClientSession(headers=headers) as http:

        async def asked(method: str, path: str, **what: object) -> dict:
            async with http.request(method, target.base + path, **what) as answer:
                answer.raise_for_status()
                return await answer.json()

        files = []
        for number, content in enumerate(contents):
            form = aiohttp.FormData()
            form.add_field("purpose", "assistants")
            form.add_field("file", content.encode(), filename=f"{number}.txt")
            files.append((await asked("POST", "/files", data=form))["id"])
        began, busy = bench.clock(), bench.machine_busy_seconds()
        store = (await asked("POST", "/vector_stores", json={"file_ids": files}))["id"]
        while (found := await asked("GET", f"/vector_stores/{store}"))["status"] == "in_progress":
            await asyncio.sleep(0.2)
        seconds = bench.clock() - began
        cores = (bench.machine_busy_seconds() - busy) / seconds
        if found["file_counts"]["completed"] != len(files):
            raise RuntimeError(f"not all files were completed: {found['file_counts']}")
        paths = [f"/vector_stores/{store}/files/{file}/progress" for file in files]
        return Ingestion(sum([(await asked("GET", path))["chunks"] for path in paths]), seconds, cores)


async def beside(target: bench.Target, work: Awaitable[Ingestion]) -> tuple[dict[str, Chat], Ingestion]:
    """Chat for as long as the work takes."""
    task = asyncio.ensure_future(work)
    chatted = await chats(target, task.done)
    return chatted, await task


def report(quiet: dict[str, Chat], busy: dict[str, Chat], done: Ingestion, noise: float) -> list[str]:
    """The section of RESULTS.md."""
    lines = [
        circumstances(noise),
        "",
        f"{FILES} files, {done.chunks} chunks of 800 tokens that overlap by 400, from the request that puts them into "
        f"a store to `completed`, embedding included: {done.seconds:.0f} s, "
        f"**{done.chunks / done.seconds:.1f} chunks/s**. Meanwhile **{done.cores:.2f} of "
        f"{len(os.sched_getaffinity(0))} cores** were busy, with the {RATE} chat requests a second to each of two "
        "models, their client and the upstream, and other processes.",
        "",
        "| chat with a model that | | p50 ms | p99 ms | requests | failed |",
        "|---|---|---|---|---|---|",
    ]
    for model, title in MODELS.items():
        lines += [f"| {title} | nothing else | {quiet[model].cells()} |", f"| | ingestion | {busy[model].cells()} |"]
    grown = [f"x{busy[model].p99() / quiet[model].p99():.2f} ({title})" for model, title in MODELS.items()]
    return [*lines, "", f"p99 during ingestion: {', '.join(grown)}."]


async def measure(options: argparse.Namespace, work: Path) -> None:
    """Start everything, measure, and write or print the results."""
    async with AsyncExitStack() as stack:
        upstream, upstream_pid = await start_upstream(stack, work)
        target = bench.Target.parse(await start_retinue(stack, work, upstream))
        known = [*target.pids, upstream_pid]
        # Processes are started and code is loaded.
        await beside(target, ingest(target, ["Some text."]))
        end = bench.clock() + options.seconds
        with bench.Meter(target, known) as meter:
            quiet = await chats(target, lambda: bench.clock() > end)
        busy, done = await beside(target, ingest(target, texts(options.chunks)))
    lines = report(quiet, busy, done, meter.strangers)
    if options.quick:
        print("\n" + "\n".join(lines))
    else:
        write_section("Ingestion", lines)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=30, help="of chat while nothing else happens")
    parser.add_argument("--quick", action="store_true", help="200 chunks; prints only")
    parser.add_argument("--limit", type=float, default=1200, help="seconds after which everything is ended")
    options = parser.parse_args()
    if options.quick:
        options.chunks, options.seconds = 200, 10
    await limited(measure, options)


if __name__ == "__main__":
    uvloop.run(main())
