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
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from urllib.parse import urlsplit

clock = time.perf_counter
TICK = os.sysconf("SC_CLK_TCK")


# --- the HTTP client -------------------------------------------------------------
#
# A client library would cost more than some of the servers measured here, so this
# is the least HTTP/1.1 that works: one keep-alive connection, one request at a time.


class Connection(asyncio.Protocol):
    """One keep-alive connection; `on_body` sees decoded body bytes as they arrive."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.closed = False
        self.waiter: asyncio.Future | None = None

    def start(self, request: bytes, on_body: Callable[[bytes], None]) -> asyncio.Future:
        self.waiter = asyncio.get_running_loop().create_future()
        self.on_body = on_body
        self.buffer = b""
        self.in_head = True
        self.transport.write(request)
        return self.waiter

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        if self.in_head and not self._read_head():
            return
        if self.chunked:
            self._read_chunks()
        else:
            self._read_sized()

    def _read_head(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end == -1:
            return False
        head = self.buffer[:end].lower()
        self.buffer = self.buffer[end + 4 :]
        self.in_head = False
        self.status = int(head[9:12])
        self.keep_alive = b"\r\nconnection: close" not in head
        self.chunked = b"\r\ntransfer-encoding: chunked" in head
        self.left = None  # body bytes still to come; None: until the peer closes
        at = head.find(b"\r\ncontent-length:")
        if at != -1:
            self.left = int(head[at + 17 :].split(b"\r\n", 1)[0])
        self.chunk_left = 0
        return True

    def _read_sized(self) -> None:
        body, self.buffer = self.buffer, b""
        if body:
            self.on_body(body)
        if self.left is not None:
            self.left -= len(body)
            if self.left <= 0:
                self._finish()

    def _read_chunks(self) -> None:
        buffer, at = self.buffer, 0
        while True:
            if self.chunk_left:  # inside a chunk: payload plus its closing CRLF
                if len(buffer) - at < self.chunk_left:
                    break
                self.on_body(buffer[at : at + self.chunk_left - 2])
                at += self.chunk_left
                self.chunk_left = 0
            line_end = buffer.find(b"\r\n", at)
            if line_end == -1:
                break
            size = int(buffer[at:line_end].split(b";", 1)[0], 16)
            if size == 0:
                if len(buffer) < line_end + 4:
                    break
                self.buffer = b""
                self._finish()
                return
            at = line_end + 2
            self.chunk_left = size + 2
        self.buffer = buffer[at:]

    def _finish(self) -> None:
        waiter, self.waiter = self.waiter, None
        if not self.keep_alive:
            self.transport.close()
            self.closed = True
        if waiter and not waiter.done():
            waiter.set_result(self.status)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        waiter, self.waiter = self.waiter, None
        if waiter and not waiter.done():
            whole = not self.in_head and not self.chunked and self.left is None
            if whole:
                waiter.set_result(self.status)
            else:
                waiter.set_exception(ConnectionError(str(error or "closed by the server")))


class Client:
    """A target's connections, reused in turn."""

    def __init__(self, target: "Target") -> None:
        self.target = target
        self.idle: list[Connection] = []

    async def send(self, request: bytes, on_body: Callable[[bytes], None] = lambda body: None) -> int:
        """Send one request, return its status.  Raises OSError or TimeoutError."""
        connection = None
        while self.idle and connection is None:
            connection = self.idle.pop()
            if connection.closed:
                connection = None
        if connection is None:
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection, self.target.host, self.target.port
            )
        try:
            status = await asyncio.wait_for(connection.start(request, on_body), 60)
        except BaseException:
            connection.transport.abort()
            raise
        self.idle.append(connection)
        return status

    async def json(self, method: str, path: str, body: object | None = None) -> dict:
        parts: list[bytes] = []
        status = await self.send(self.target.request(method, path, body), parts.append)
        text = b"".join(parts)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {text[:300].decode(errors='replace')}")
        return json.loads(text)

    def close(self) -> None:
        for connection in self.idle:
            connection.transport.close()
        self.idle.clear()


# --- targets and what /proc says about them ---------------------------------------


@dataclasses.dataclass
class Target:
    name: str
    base: str
    pids: list[int]
    key: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> "Target":
        name, _, rest = text.partition("=")
        base, *options = rest.split(",")
        given = dict(option.split("=", 1) for option in options)
        return cls(
            name=name,
            base=base.rstrip("/"),
            pids=[int(pid) for pid in given.get("pid", "").split("+") if pid],
            key=given.get("key", "sk-none"),
            prefix=given.get("prefix", ""),
        )

    @property
    def host(self) -> str:
        return urlsplit(self.base).hostname

    @property
    def port(self) -> int:
        return urlsplit(self.base).port

    def request(self, method: str, path: str, body: object | None = None) -> bytes:
        payload = b"" if body is None else json.dumps(body).encode()
        return (
            f"{method} {urlsplit(self.base).path}{path} HTTP/1.1\r\n"
            f"Host: {self.host}:{self.port}\r\nAuthorization: Bearer {self.key}\r\n"
            f"OpenAI-Beta: assistants=v2\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(payload)}\r\n\r\n"
        ).encode() + payload


def process_tree(roots: list[int]) -> set[int]:
    """The given processes and all their descendants that are alive now."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    parent = int(stat.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry))
    found: set[int] = set()
    todo = list(roots)
    while todo:
        pid = todo.pop()
        if pid not in found and os.path.exists(f"/proc/{pid}"):
            found.add(pid)
            todo += children.get(pid, [])
    return found


def cpu_seconds(roots: list[int]) -> float:
    total = 0
    for pid in process_tree(roots):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return total / TICK


def memory_mib(roots: list[int]) -> float:
    """Proportional set size of the tree: shared pages are counted once, not per worker."""
    kib = 0
    for pid in process_tree(roots):
        try:
            with open(f"/proc/{pid}/smaps_rollup") as rollup:
                kib += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return kib / 1024


def machine_busy_seconds() -> float:
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


class Meter:
    """CPU used between two moments: the server's, this client's, and strangers'."""

    def __init__(self, target: Target, known: list[int]) -> None:
        self.target, self.known = target, known

    def __enter__(self) -> "Meter":
        self.began = clock()
        self.server = cpu_seconds(self.target.pids)
        self.ours = cpu_seconds(self.known)
        self.client = time.process_time()
        self.machine = machine_busy_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        self.elapsed = clock() - self.began
        self.server = cpu_seconds(self.target.pids) - self.server
        self.ours = cpu_seconds(self.known) - self.ours
        self.client = time.process_time() - self.client
        self.machine = machine_busy_seconds() - self.machine
        #: Cores used by processes that are neither the client nor any known server.
        self.strangers = max(0.0, (self.machine - self.ours - self.client) / self.elapsed)


def percentile(values: list[float], share: float) -> float:
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


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
