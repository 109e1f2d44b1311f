#!/usr/bin/env python3
"""Measure OpenAI-compatible servers against a model-free upstream (upstream.mjs).

Standard library only; uvloop is used when it can be imported.  Linux only: CPU
seconds, memory and noise come from /proc.

    bench.py chat       --target direct=http://127.0.0.1:9100/v1,pid=11 \\
                        --target mine=http://127.0.0.1:8000/v1,pid=22,key=sk-x
    bench.py responses  --target mine=...        POST /responses, stream and not
    bench.py assistants --target mine=...        thread + message + run, polled and streamed

The first target is the reference: every other one is reported beside it and as
a ratio to it.  Targets are measured in turn inside each round (so that noise
hits all of them), every number is the median over --rounds, and a round whose
CPU was taken by strangers is flagged.

A target is NAME=BASE_URL followed by comma-separated options:
    pid=N[+N...]  roots of the server's process trees, for CPU and memory
    key=TOKEN     sent as a bearer token
    prefix=P      put before the mock's model names (e.g. "openai/")

What is measured, and how to read it:
    latency         closed loop at concurrency 1, upstream answers at once: what one
                    request costs.  p50 minus the reference's p50 is the added latency.
    throughput      the same at concurrency 32 and 256: the most requests per second.
    paced           upstream takes 500 ms; what is shown is the time beyond 500 ms.
    stream burst    all 100 tokens at once: chunks per second and CPU per 1000 chunks.
    streams held    100 tokens, 50 ms to the first, then one each 20 ms.  A step is HELD
                    when no stream fails and 95% of streams last at most 10% longer
                    than the upstream's schedule.  Streams start staggered over 250 ms.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import statistics
import sys
from collections.abc import Awaitable, Callable
from itertools import pairwise

from client import Client
from targets import Meter, Target, clock, memory_mib, percentile

# --- the scenarios ----------------------------------------------------------------

Sample = dict[str, float]
PROMPT = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Say a few words about nothing in particular."},
]


@dataclasses.dataclass
class Api:
    """How one API asks for an answer, and the bytes that mark one token in its stream."""

    path: str
    token: bytes

    def body(self, model: str, stream: bool) -> dict:
        raise NotImplementedError


class ChatApi(Api):
    def __init__(self) -> None:
        super().__init__("/chat/completions", b'" tok')

    def body(self, model: str, stream: bool) -> dict:
        return {"model": model, "messages": PROMPT, "stream": stream}


class ResponsesApi(Api):
    def __init__(self, store: bool) -> None:
        super().__init__("/responses", b'output_text.delta"')
        self.store = store

    def body(self, model: str, stream: bool) -> dict:
        return {"model": model, "input": "Say a few words.", "stream": stream, "store": self.store}


async def closed_loop(
    work: Callable[[], Awaitable[None]], concurrency: int, seconds: float
) -> tuple[list[float], int, float]:
    """Repeat `work` from `concurrency` tasks.  Returns durations, failures, elapsed."""
    durations: list[float] = []
    failures = 0
    began = clock()
    deadline = began + seconds

    async def worker() -> None:
        nonlocal failures
        while clock() < deadline:
            start = clock()
            try:
                await work()
            except (OSError, RuntimeError, TimeoutError) as error:
                failures += 1
                if failures == 1:
                    print(f"    first failure: {error!r}", file=sys.stderr)
                await asyncio.sleep(0.05)
            else:
                durations.append(clock() - start)

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return durations, failures, clock() - began


async def whole_answers(
    target: Target, api: Api, model: str, concurrency: int, seconds: float, known: list[int]
) -> Sample:
    """Non-streaming requests in a closed loop."""
    client = Client(target)
    request = target.request("POST", api.path, api.body(target.prefix + model, False))

    async def work() -> None:
        status = await client.send(request)
        if status != 200:
            raise RuntimeError(f"status {status}")

    with Meter(target, known) as meter:
        durations, failures, elapsed = await closed_loop(work, concurrency, seconds)
    client.close()
    done = max(1, len(durations))
    return {
        "p50_ms": 1e3 * percentile(durations, 0.50),
        "p99_ms": 1e3 * percentile(durations, 0.99),
        "per_s": len(durations) / elapsed,
        "cpu_s_per_1k": 1e3 * meter.server / done,
        "client_cpu": meter.client / meter.elapsed,
        "strangers": meter.strangers,
        "failures": failures,
    }


class TokenClock:
    """Notes when each token of one stream arrived."""

    def __init__(self, marker: bytes) -> None:
        self.marker = marker
        self.arrivals: list[float] = []
        self.tail = b""

    def __call__(self, body: bytes) -> None:
        text = self.tail + body
        count = text.count(self.marker)
        if count:
            self.arrivals += [clock()] * count
            text = text[text.rfind(self.marker) + len(self.marker) :]
        self.tail = text[-(len(self.marker) - 1) :]


async def one_stream(client: Client, request: bytes, marker: bytes, tokens: int) -> tuple[float, list[float]]:
    """Run one stream to its end.  Returns its start and its tokens' arrivals."""
    token_clock = TokenClock(marker)
    start = clock()
    status = await client.send(request, token_clock)
    if status != 200:
        raise RuntimeError(f"status {status}")
    if len(token_clock.arrivals) < tokens:
        raise RuntimeError(f"{len(token_clock.arrivals)} of {tokens} tokens arrived")
    return start, token_clock.arrivals[:tokens]


async def streams_burst(target: Target, api: Api, concurrency: int, seconds: float, known: list[int]) -> Sample:
    """Streams whose tokens the upstream sends at once: the cost of moving chunks."""
    tokens = 100
    client = Client(target)
    request = target.request("POST", api.path, api.body(f"{target.prefix}mock-t0-i0-n{tokens}", True))

    async def work() -> None:
        await one_stream(client, request, api.token, tokens)

    with Meter(target, known) as meter:
        durations, failures, elapsed = await closed_loop(work, concurrency, seconds)
    client.close()
    chunks = max(1, len(durations) * tokens)
    return {
        "chunks_per_s": chunks / elapsed,
        "cpu_s_per_1k_chunks": 1e3 * meter.server / chunks,
        "client_cpu": meter.client / meter.elapsed,
        "strangers": meter.strangers,
        "failures": failures,
    }


async def streams_paced(
    target: Target,
    api: Api,
    count: int,
    known: list[int],
    ttft: int = 50,
    itl: int = 20,
    tokens: int = 100,
) -> Sample:
    """`count` streams at once, the upstream sending one token each `itl` ms."""
    client = Client(target)
    model = f"{target.prefix}mock-t{ttft}-i{itl}-n{tokens}"
    request = target.request("POST", api.path, api.body(model, True))

    async def started_after(delay: float) -> tuple[float, list[float]] | Exception:
        await asyncio.sleep(delay)
        try:
            return await one_stream(client, request, api.token, tokens)
        except (OSError, RuntimeError, TimeoutError) as error:
            return error

    with Meter(target, known) as meter:
        results = await asyncio.gather(*(started_after(0.25 * k / count) for k in range(count)))
    memory = memory_mib(target.pids)
    client.close()
    finished = [result for result in results if not isinstance(result, Exception)]
    failures = count - len(finished)
    if failures:
        first = next(result for result in results if isinstance(result, Exception))
        print(f"    {failures} of {count} streams failed, first: {first!r}", file=sys.stderr)
    ideal = (ttft + (tokens - 1) * itl) / 1e3
    stretch = [(arrivals[-1] - start) / ideal for start, arrivals in finished]
    gaps = [b - a for _, arrivals in finished for a, b in pairwise(arrivals)]
    return {
        "added_ttft_p50_ms": 1e3 * percentile([a[0] - s for s, a in finished], 0.50) - ttft,
        "added_ttft_p99_ms": 1e3 * percentile([a[0] - s for s, a in finished], 0.99) - ttft,
        # How late tokens are against the upstream's schedule, first token included.
        "late_p50_ms": 1e3
        * percentile(
            [arrivals[k] - start - (ttft + k * itl) / 1e3 for start, arrivals in finished for k in range(0, tokens, 9)],
            0.50,
        ),
        "gap_p99_ms": 1e3 * percentile(gaps, 0.99),
        "stretch_p95": percentile(stretch, 0.95),
        "held": float(not failures and percentile(stretch, 0.95) <= 1.10),
        "cpu_s_per_1k_chunks": 1e3 * meter.server / max(1, len(finished) * tokens),
        "memory_mib": memory,
        "client_cpu": meter.client / meter.elapsed,
        "strangers": meter.strangers,
        "failures": failures,
    }


async def runs_closed_loop(
    target: Target,
    concurrency: int,
    seconds: float,
    poll_ms: float,
    stream: bool,
    model: str,
    known: list[int],
) -> Sample:
    """Assistants flow: create a thread, add a message, run it, until it has completed."""
    client = Client(target)
    assistant = await client.json(
        "POST",
        "/assistants",
        {"model": target.prefix + model, "name": "bench", "instructions": "Be brief.", "tools": []},
    )
    first_tokens: list[float] = []

    async def polled() -> None:
        thread, start = await prepare()
        run = await client.json("POST", f"/threads/{thread}/runs", {"assistant_id": assistant["id"]})
        while run["status"] in ("queued", "in_progress"):
            if clock() - start > 60:
                raise RuntimeError(f"run still {run['status']} after 60 s")
            await asyncio.sleep(poll_ms / 1e3)
            run = await client.json("GET", f"/threads/{thread}/runs/{run['id']}")
        if run["status"] != "completed":
            raise RuntimeError(f"run {run['status']}: {run.get('last_error')}")

    async def streamed() -> None:
        thread, start = await prepare()
        request = target.request("POST", f"/threads/{thread}/runs", {"assistant_id": assistant["id"], "stream": True})
        _, arrivals = await one_stream(client, request, b'"thread.message.delta"', 1)
        first_tokens.append(arrivals[0] - start)

    async def prepare() -> tuple[str, float]:
        thread = await client.json("POST", "/threads", {})
        await client.json("POST", f"/threads/{thread['id']}/messages", {"role": "user", "content": "Hello"})
        return thread["id"], clock()

    with Meter(target, known) as meter:
        durations, failures, elapsed = await closed_loop(streamed if stream else polled, concurrency, seconds)
    memory = memory_mib(target.pids)
    client.close()
    return {
        "flow_p50_ms": 1e3 * percentile(durations, 0.50),
        "flow_p99_ms": 1e3 * percentile(durations, 0.99),
        "first_delta_p50_ms": 1e3 * percentile(first_tokens, 0.50),
        "runs_per_s": len(durations) / elapsed,
        "cpu_s_per_run": meter.server / max(1, len(durations)),
        "memory_mib": memory,
        "client_cpu": meter.client / meter.elapsed,
        "strangers": meter.strangers,
        "failures": failures,
    }


# --- rounds, medians, report ------------------------------------------------------


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


async def measure_answers(options: argparse.Namespace, api: Api, target: Target, known: list[int]) -> dict[str, Sample]:
    samples: dict[str, Sample] = {}
    samples["rest"] = {"memory_mib": memory_mib(target.pids)}
    await whole_answers(target, api, "mock-t0-i0-n16", 2, options.warm, known)
    for concurrency in options.concurrency:
        samples[f"whole c={concurrency}"] = await whole_answers(
            target, api, "mock-t0-i0-n16", concurrency, options.seconds, known
        )
    for concurrency in options.paced:
        sample = await whole_answers(target, api, "mock-t500-i0-n16", concurrency, options.seconds, known)
        sample["p50_ms"] -= 500
        sample["p99_ms"] -= 500
        samples[f"whole paced 500ms c={concurrency}"] = sample
    samples["stream burst c=8"] = await streams_burst(target, api, 8, options.seconds, known)
    held = 0
    for count in options.streams:
        sample = await streams_paced(target, api, count, known)
        samples[f"streams n={count}"] = sample
        if sample["held"]:
            held = count
        else:
            break
    samples["held"] = {"streams": float(held)}
    samples["loaded"] = {"memory_mib": memory_mib(target.pids)}
    return samples


async def measure_assistants(options: argparse.Namespace, target: Target, known: list[int]) -> dict[str, Sample]:
    samples: dict[str, Sample] = {}
    samples["rest"] = {"memory_mib": memory_mib(target.pids)}
    for stream in (False, True) if options.stream_runs else (False,):
        for concurrency in options.concurrency:
            name = f"{'streamed' if stream else 'polled'} run c={concurrency}"
            samples[name] = await runs_closed_loop(
                target, concurrency, options.seconds, options.poll_ms, stream, options.model, known
            )
    return samples


def report(results: dict[str, list[dict[str, Sample]]], reference: str) -> dict:
    """Print medians beside the reference; return them for --json."""
    medians: dict[str, dict[str, Sample]] = {}
    for name, rounds in results.items():
        medians[name] = {}
        scenarios = dict.fromkeys(scenario for one in rounds for scenario in one)
        for scenario in scenarios:
            seen = [one[scenario] for one in rounds if scenario in one]
            medians[name][scenario] = {
                metric: statistics.median(sample[metric] for sample in seen) for metric in seen[0]
            }
    for name, scenarios in medians.items():
        print(f"\n== {name}" + ("" if name == reference else f"  (x{reference})"))
        for scenario, sample in scenarios.items():
            base = medians[reference].get(scenario, {})
            cells = []
            for metric, value in sample.items():
                cell = f"{metric}={value:.4g}"
                if (
                    name != reference
                    and base.get(metric)
                    and metric
                    not in (
                        "strangers",
                        "client_cpu",
                        "failures",
                        "held",
                    )
                ):
                    cell += f"(x{value / base[metric]:.2f})"
                cells.append(cell)
            print(f"  {scenario:24s} " + " ".join(cells))
    return medians


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("api", choices=["chat", "responses", "assistants"])
    parser.add_argument("--target", action="append", required=True, type=Target.parse)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="length of one closed loop")
    parser.add_argument("--warm", type=float, default=1.5)
    parser.add_argument("--concurrency", type=numbers, default=None)
    parser.add_argument("--paced", type=numbers, default=[32, 256])
    parser.add_argument("--streams", type=numbers, default=[1, 16, 32, 64, 128, 256, 512, 1024])
    parser.add_argument("--known", type=numbers, default=[], help="pids that are no strangers")
    parser.add_argument("--poll-ms", type=float, default=20, help="assistants: between two polls")
    parser.add_argument("--no-stream-runs", dest="stream_runs", action="store_false")
    parser.add_argument("--model", default="mock-t0-i0-n16", help="assistants: the mock's model")
    parser.add_argument("--store", action="store_true", help="responses: store=true")
    parser.add_argument("--json", help="write all samples and medians to this file")
    options = parser.parse_args()
    if options.concurrency is None:
        options.concurrency = [1, 8, 32] if options.api == "assistants" else [1, 32, 256]
    known = options.known + [pid for target in options.target for pid in target.pids]
    results: dict[str, list[dict[str, Sample]]] = {target.name: [] for target in options.target}
    for round_number in range(options.rounds):
        for target in options.target:
            if options.api == "assistants":
                samples = await measure_assistants(options, target, known)
            else:
                api = ChatApi() if options.api == "chat" else ResponsesApi(options.store)
                samples = await measure_answers(options, api, target, known)
            results[target.name].append(samples)
            noise = max(sample.get("strangers", 0) for sample in samples.values())
            print(
                f"round {round_number + 1} {target.name}: load {os.getloadavg()[0]:.2f}, strangers "
                f"took up to {noise:.2f} cores{'  NOISY' if noise > 0.5 else ''}",
                file=sys.stderr,
            )
    medians = report(results, options.target[0].name)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"medians": medians, "rounds": results}, file, indent=1)


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
