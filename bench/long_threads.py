"""Measures a run on a long thread beside a run on a short one: it is to cost the same.

    python bench/long_threads.py [--messages 100000] [--pairs 200]

Starts the model-free upstream (needs node) and a Retinue, fills one thread with 50 messages and
one with many, and runs an assistant on them in turn. Writes THREADS.md.
"""

import argparse
import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from results import circumstances
from servers import HERE, KEY, MODEL, limited, start_retinue, start_upstream

SHORT = 50
#: Messages that one request adds: the API's limit.
BATCH = 1000
#: The ratio of the medians that is allowed, and the lengths of messages in words that are tried.
ALLOWED = 1.3
WORDS = (10, 50, 200)


class Client:
    """The few requests that are measured."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def post(self, path: str, body: dict) -> dict:
        async with self._session.post(self._url + path, json=body) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def run(self, thread: str, assistant: str, **fields: object) -> float:
        """Seconds of one streamed run, from the request to its end."""
        began = time.perf_counter()
        body = {"assistant_id": assistant, "stream": True, **fields}
        async with self._session.post(f"{self._url}/threads/{thread}/runs", json=body) as answer:
            text = await answer.read()
        assert b"event: thread.run.completed" in text, text[-2000:]
        return time.perf_counter() - began

    async def thread(self, assistant: str, messages: int, words: int) -> str:
        """A thread of so many messages."""
        identifier = (await self.post("/threads", {}))["id"]
        said = {"role": "user", "content": "the quick brown fox jumps " * (words // 5)}
        while messages > 0:
            await self.run(identifier, assistant, additional_messages=[said] * min(messages - 1, BATCH))
            messages -= BATCH + 1
        return identifier


async def compare(client: Client, messages: int, words: int, pairs: int) -> tuple[float, float]:
    """The medians in ms of a run on a short thread and on one of `messages`, one after the other `pairs` times."""
    assistant = (await client.post("/assistants", {"model": MODEL, "instructions": "Be brief."}))["id"]
    threads = [await client.thread(assistant, count, words) for count in (SHORT, messages)]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(pairs):
        for thread, taken in zip(threads, times, strict=True):
            taken.append(await client.run(thread, assistant) * 1000)
    return statistics.median(times[0]), statistics.median(times[1])


async def measure(options: argparse.Namespace, work: Path) -> None:
    """Start everything, measure, write THREADS.md."""
    async with AsyncExitStack() as stack:
        upstream, _ = await start_upstream(stack, work)
        target = await start_retinue(stack, work, upstream)
        url = target.partition("=")[2].partition(",")[0]
        headers = {"authorization": f"Bearer {KEY}"}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers, read_bufsize=2**20))
        rows: list[str] = []
        for words in WORDS:
            short, long = await compare(Client(session, url), options.messages, words, options.pairs)
            rows.append(f"| {words} | {short:.2f} | {long:.2f} | x{long / short:.2f} |")
            print(rows[-1])
    text = "\n".join(
        [
            "# Long threads",
            "",
            circumstances(),
            "",
            f"Median time of a streamed run, from request to end, on a thread of {SHORT} messages and on one of "
            f"{options.messages:,}, measured in turn {options.pairs} times. The model answers at once. "
            f"The ratio is to be at most {ALLOWED}.",
            "",
            f"| words a message | {SHORT} messages (ms) | {options.messages:,} messages (ms) | ratio |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )
    (HERE / "THREADS.md").write_text(text)
    print(f"\n{text}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--limit", type=float, default=900, help="seconds after which everything is ended")
    await limited(measure, parser.parse_args())


if __name__ == "__main__":
    asyncio.run(main())
