"""Measures the local model through Retinue beside llama.cpp's own server: throughput, and what a second turn costs.

    python bench/local.py [--quick] [--pairs 6] [--tokens 128]

Both are the same weights in the same kind of process with the same flags, one behind `retinue serve` on a new data
folder, one asked on its Unix socket. They are asked the same in turn, one request at a time, at temperature 0. Writes
its section of RESULTS.md; with --quick it takes the small model and prints what it would write.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import aiohttp
import psycopg

import bench
from results import circumstances, write_section
from retinue.inference.local.catalogue import CATALOGUE
from retinue.inference.local.fetch import fetch
from retinue.inference.local.process import LocalModel
from retinue.model_settings import BUILT_IN_MODELS, DEFAULT_MODEL
from retinue.settings import Settings
from retinue.store.embedded_cluster import Cluster
from servers import KEY, ServerFailed, limited, postmaster, serve_retinue

SMALL_MODEL = "qwen2.5-coder-0.5b-instruct"
#: Seconds for a model to be loaded, for a run to end, and for its usage to be recorded.
LOAD_PATIENCE, RUN_PATIENCE, RECORD_PATIENCE = 180, 300, 30
#: Seconds between two looks at a run or at the records.
LOOK_EVERY = 0.1
#: What the share of llama.cpp's own throughput is to be.
GOAL = 0.95
#: Of a long prompt that stays the same over a thread's turns.
RULES = "Rule {number}: an answer is one short sentence, and it says nothing that was not asked for in turn {number}."
QUESTIONS = ("What colour is a clear sky at noon?", "And what colour is fresh snow?")

_USED = """
    select coalesce(sum(requests), 0)::int, coalesce(sum(prompt_tokens), 0)::int,
        coalesce(sum(cached_tokens), 0)::int, coalesce(sum(completion_tokens), 0)::int
    from usage_records where endpoint = 'runs'
"""


class Noise:
    """Cores that were taken, in the block, by processes which this one has not started."""

    def __enter__(self) -> "Noise":
        self._before = time.perf_counter(), bench.machine_busy_seconds() - bench.cpu_seconds([os.getpid()])
        return self

    def __exit__(self, *_: object) -> None:
        began, others = self._before
        others = bench.machine_busy_seconds() - bench.cpu_seconds([os.getpid()]) - others
        self.cores = max(0.0, others / (time.perf_counter() - began))


class Turn(NamedTuple):
    """Tokens of one call of the model."""

    prompt: int
    cached: int
    answer: int


@dataclass
class Answer:
    """What came of one chat completion."""

    text: str
    turn: Turn
    #: From the request to its first text (for a whole answer: to its end), and to its end.
    first_seconds: float
    seconds: float


class Chat:
    """The chat completions of one server."""

    def __init__(self, session: aiohttp.ClientSession, model: str) -> None:
        self._session = session
        self._model = model

    async def ask(self, messages: list[dict], tokens: int, *, stream: bool = False) -> Answer:
        """One answer of at most so many tokens. Raises ServerFailed."""
        body = {"model": self._model, "messages": messages, "max_tokens": tokens, "temperature": 0, "stream": stream}
        if stream:
            body["stream_options"] = {"include_usage": True}
        began = time.perf_counter()
        async with self._session.post("/v1/chat/completions", json=body) as response:
            if response.status != 200:
                raise ServerFailed(f"{response.url}: {response.status} {await response.text()}")
            pieces, first, usage = [], 0.0, {}
            async for chunk in _chunks(response) if stream else _whole(response):
                usage = chunk.get("usage") or usage
                for choice in chunk["choices"]:
                    if text := (choice.get("delta") or choice.get("message") or {}).get("content"):
                        first = first or time.perf_counter() - began
                        pieces.append(text)
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
        turn = Turn(usage["prompt_tokens"], cached, usage["completion_tokens"])
        return Answer("".join(pieces), turn, first, time.perf_counter() - began)


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[dict]:
    async for line in response.content:
        if line.startswith(b"data: ") and line.strip() != b"data: [DONE]":
            yield json.loads(line[6:])


async def _whole(response: aiohttp.ClientResponse) -> AsyncIterator[dict]:
    yield await response.json()


# --- throughput ----------------------------------------------------------------------


@dataclass
class Pair:
    """The same question, asked of llama.cpp and of Retinue."""

    direct: Answer
    retinue: Answer

    @property
    def share(self) -> float:
        """Of llama.cpp's own throughput."""
        return self.direct.seconds / self.retinue.seconds


async def pairs(direct: Chat, retinue: Chat, count: int, tokens: int, *, stream: bool) -> list[Pair]:
    """So many pairs, each with a prompt that neither has seen, whoever is first taking turns."""
    found = []
    for number in range(count):
        first = 1000 * (2 * number + stream) + 1
        said = f"Write all whole numbers from {first} to {first + 900} in digits, separated by spaces. Leave none out."
        answers = {}
        for chat in (direct, retinue) if number % 2 else (retinue, direct):
            answers[chat] = await chat.ask([{"role": "user", "content": said}], tokens, stream=stream)
            if answers[chat].turn.answer != tokens:
                raise ServerFailed(f"an answer was to have {tokens} tokens and has {answers[chat].turn.answer}")
        found.append(Pair(answers[direct], answers[retinue]))
        print(f"pair {number + 1}, {'stream' if stream else 'whole'}: x{found[-1].share:.3f}", file=sys.stderr)
    return found


def throughput(whole: list[Pair], streamed: list[Pair]) -> list[str]:
    """The table of throughput."""
    lines = ["| | llama.cpp's own server | Retinue | Retinue's share |", "|---|---|---|---|"]
    for name, found in (("whole answers, tokens/s", whole), ("streamed answers, tokens/s", streamed)):
        shares = [pair.share for pair in found]
        rates = [
            statistics.median(answer.turn.answer / answer.seconds for answer in answers)
            for answers in ([pair.direct for pair in found], [pair.retinue for pair in found])
        ]
        share = f"{statistics.median(shares):.1%} ({min(shares):.1%} to {max(shares):.1%})"
        lines.append(f"| {name} | {rates[0]:.1f} | {rates[1]:.1f} | {share} |")
    firsts = [
        1e3 * statistics.median(answer.first_seconds for answer in answers)
        for answers in ([pair.direct for pair in streamed], [pair.retinue for pair in streamed])
    ]
    return [*lines, f"| first text of a stream (ms) | {firsts[0]:.0f} | {firsts[1]:.0f} | |"]


# --- the second turn -----------------------------------------------------------------


def rules(name: str) -> str:
    """A long system prompt that begins like no other."""
    return f"{name}.\n" + "\n".join(RULES.format(number=number) for number in range(1, 31))


async def chat_turns(chat: Chat, name: str) -> list[Turn]:
    """Two turns of a chat, the second with the first before it."""
    messages = [{"role": "system", "content": rules(name)}]
    turns = []
    for question in QUESTIONS:
        messages.append({"role": "user", "content": question})
        answer = await chat.ask(messages, 64)
        messages.append({"role": "assistant", "content": answer.text})
        turns.append(answer.turn)
    return turns


async def run_turns(session: aiohttp.ClientSession, model: str, data: Path) -> list[Turn]:
    """Two runs on one thread, as the records of usage have them."""

    async def post(path: str, **body: object) -> dict:
        async with session.post(path, json=body) as response:
            if response.status != 200:
                raise ServerFailed(f"{path}: {response.status} {await response.text()}")
            return await response.json()

    assistant = await post("/v1/assistants", model=model, instructions=rules("Runs"), temperature=0)
    thread = f"/v1/threads/{(await post('/v1/threads'))['id']}"
    conninfo = Cluster(data).conninfo(postmaster(data).socket_folder)
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as database:
        used = [(0, 0, 0, 0)]
        for question in QUESTIONS:
            await post(f"{thread}/messages", role="user", content=question)
            run = await post(f"{thread}/runs", assistant_id=assistant["id"])
            await _ended(session, f"{thread}/runs/{run['id']}")
            used.append(await _recorded(database, len(used)))
    return [Turn(*(now - before for now, before in zip(used[k + 1][1:], used[k][1:], strict=True))) for k in range(2)]


async def _ended(session: aiohttp.ClientSession, path: str) -> None:
    async with asyncio.timeout(RUN_PATIENCE):
        status = "queued"
        while status in ("queued", "in_progress"):
            await asyncio.sleep(LOOK_EVERY)
            async with session.get(path) as response:
                status = (await response.json())["status"]
    if status != "completed":
        raise ServerFailed(f"a run has {status}")


async def _recorded(database: psycopg.AsyncConnection, calls: int) -> tuple[int, int, int, int]:
    """What was used when so many calls have been recorded: calls, prompt, cached and completion tokens."""
    async with asyncio.timeout(RECORD_PATIENCE):
        while True:
            row = await (await database.execute(_USED)).fetchone()
            if row[0] >= calls:
                return row
            await asyncio.sleep(LOOK_EVERY)


def second_turns(found: dict[str, list[Turn]]) -> list[str]:
    """The table of second turns."""
    lines = [
        "| | first prompt and its answer | second prompt | of it new | of it evaluated |",
        "|---|---|---|---|---|",
    ]
    for name, (first, second) in found.items():
        before = first.prompt + first.answer
        cells = [before, second.prompt, second.prompt - before, second.prompt - second.cached]
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    return lines


# --- all of it -----------------------------------------------------------------------


async def measure(options: argparse.Namespace, work: Path) -> None:
    """Load the model twice, measure, and write or print the results."""
    name, data = options.model, work / "retinue"
    settings = Settings(data=data)
    weights = await asyncio.to_thread(
        fetch, CATALOGUE[name], settings.models_folder, settings.model_source, lambda done, total: None
    )
    context = BUILT_IN_MODELS[name].context_length
    slots, threads = settings.local_slots, settings.local_threads
    model = LocalModel(name, weights, context_length=context, slots=slots, threads=threads)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(model.stop)
        await model.start()
        same = {"RETINUE_LOCAL_SLOTS": str(slots), "RETINUE_LOCAL_THREADS": str(threads)}
        folder = {"RETINUE_MODELS_FOLDER": str(settings.models_folder), "RETINUE_LOCAL_LOAD_WAIT": str(LOAD_PATIENCE)}
        url, _ = await serve_retinue(stack, work, f'default_model = "{name}"\n', **same, **folder)
        if not await model.wait_ready(LOAD_PATIENCE):
            raise ServerFailed(f"the model is not loaded: {model.reason}")

        async def session(base: str, key: str, connector: aiohttp.BaseConnector | None = None) -> aiohttp.ClientSession:
            headers = {"authorization": f"Bearer {key}", "openai-beta": "assistants=v2"}
            timeout = aiohttp.ClientTimeout(total=RUN_PATIENCE)
            made = aiohttp.ClientSession(base, headers=headers, connector=connector, timeout=timeout)
            return await stack.enter_async_context(made)

        connector = aiohttp.UnixConnector(str(model.socket_path), force_close=True)
        api = await session(url.removesuffix("/v1"), KEY)
        direct, retinue = Chat(await session("http://local", model.api_key, connector), name), Chat(api, name)
        for chat in (direct, retinue):  # the first request waits for the model to be loaded
            await chat.ask([{"role": "user", "content": "Hello"}], 4)
        with Noise() as noise:
            whole = await pairs(direct, retinue, options.pairs, options.tokens, stream=False)
            streamed = await pairs(direct, retinue, options.pairs, options.tokens, stream=True)
        turns = {
            "llama.cpp's own server": await chat_turns(direct, "llama.cpp"),
            "chat completions": await chat_turns(retinue, "Chat"),
            "runs on a thread": await run_turns(api, name, data),
        }
    lines = report(options, noise.cores, whole, streamed, turns)
    if options.quick:
        print("\n" + "\n".join(lines))
    else:
        write_section("The local model", lines)


def report(
    options: argparse.Namespace, noise: float, whole: list[Pair], streamed: list[Pair], turns: dict[str, list[Turn]]
) -> list[str]:
    """The section of RESULTS.md."""
    return [
        circumstances(noise),
        "",
        f"{options.model}, {options.tokens} tokens an answer, one request at a time: medians of {options.pairs} pairs, "
        "in each of which both servers read the same new prompt and write the same number of tokens. The share is "
        f"that of a pair, to be at least {GOAL:.0%}; in brackets, the lowest and the highest.",
        "",
        *throughput(whole, streamed),
        "",
        "A second turn repeats the first prompt and its answer. Tokens as the model's server counts them; new is what "
        "the second prompt has beyond the first and its answer. The last token of an answer is evaluated only when "
        "something follows it, so that one evaluated token more than new ones is the least there can be.",
        "",
        *second_turns(turns),
    ]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(CATALOGUE), default=DEFAULT_MODEL)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--tokens", type=int, default=128, help="length of an answer")
    parser.add_argument("--quick", action="store_true", help="the small model and few pairs; prints only")
    parser.add_argument("--limit", type=float, default=1200, help="seconds after which everything is ended")
    options = parser.parse_args()
    if options.quick:
        options.model, options.pairs, options.tokens = SMALL_MODEL, 2, 48
    await limited(measure, options)


if __name__ == "__main__":
    asyncio.run(main())
