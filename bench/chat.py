"""Measures chat completions: Retinue beside the upstream itself, a floor, ogx and LiteLLM's proxy, in the same minutes.

    python bench/chat.py [--quick] [--only retinue,floor] [--rounds 3] [--seconds 3]

Starts a model-free upstream (upstream.mjs, needs node), the least that a Python proxy can be (floor.py), a Retinue on a
new data folder as `retinue serve` comes, and the two peers in environments of their own (peers.py: PyPI is asked on the
first run). Measures them in turn with bench.py, whose docstring says what its figures mean, and writes its section of
RESULTS.md; with --quick or --only it prints what it would write. Everything it starts ends with it, after at most
--limit seconds.
"""

import argparse
import math
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import uvloop

import bench
from peers import start_litellm, start_ogx, version
from results import NOISE, circumstances, write_section
from servers import MODEL, ServerFailed, free_port, limited, running, start_retinue, start_upstream, until_healthy

#: bench.py's scenarios. No step lies between 1 and 32 streams, so that 32 are tried with servers that hold few, too.
CONCURRENCY, STREAMS = [1, 32], [1, 32, 64, 128, 200, 256, 512]
QUICK_STREAMS = [1, 32, 128, 200]
#: What a figure may be worse than its goal, as a factor.
ALLOWED = 1.6
#: Scenario of our own: the server's process by itself, where others (PostgreSQL) work beside it.
ALONE = "alone"

Medians = dict[str, dict[str, bench.Sample]]


@dataclass(frozen=True)
class Figure:
    """One line of the report, and the goal that is set for it."""

    heading: str
    scenario: str
    metric: str
    digits: int
    goal: float | None = None
    #: What the floor showed where the goals were set: tells how today's machine compares.
    floor_then: float | None = None
    more_is_better: bool = False
    #: Whether what the upstream takes by itself is to be subtracted.
    beyond_direct: bool = False

    def of(self, name: str, medians: Medians) -> float:
        """The figure of one server; NaN where it was not measured."""

        def value(server: str) -> float:
            return medians.get(server, {}).get(self.scenario, {}).get(self.metric, math.nan)

        return value(name) - value("direct") if self.beyond_direct else value(name)

    def shown(self, value: float | None) -> str:
        """A value of it."""
        return "-" if value is None or math.isnan(value) else f"{value:,.{self.digits}f}"

    def goal_here(self, floor: float) -> float:
        """The goal on a machine whose floor is `floor`: as far from it as the goal was from the floor of its day."""
        assert self.goal is not None
        return self.goal if self.floor_then is None else self.goal * floor / self.floor_then

    def verdict(self, value: float, goal: float) -> str:
        """How far from the goal."""
        ratio = value / goal
        if self.more_is_better:
            ratio = 1 / ratio if ratio else math.inf
        said = "met" if ratio <= 1 else f"within x{ALLOWED}" if ratio <= ALLOWED else "**missed**"
        return f"x{ratio:.2f}, {said}"


FIGURES = (
    Figure("CPU per request, 32 at once (ms)", "whole c=32", "cpu_s_per_1k", 2, 0.4, 0.18),
    Figure("CPU per request, server's process alone (ms)", ALONE, "cpu_s_per_1k", 2),
    Figure("requests/s, 32 at once", "whole c=32", "per_s", 0, 2000, 5450, more_is_better=True),
    Figure("added p50, one at a time (ms)", "whole c=1", "p50_ms", 2, 0.8, 0.33, beyond_direct=True),
    Figure("streams held", "held", "streams", 0, 200, 256, more_is_better=True),
    Figure("CPU s per 1,000 chunks, 32 paced streams", "streams n=32", "cpu_s_per_1k_chunks", 3, 0.09, 0.072),
    Figure("CPU s per 1,000 chunks, in bursts", "stream burst c=8", "cpu_s_per_1k_chunks", 4, 0.01, 0.0038),
    Figure("memory at rest (MiB)", "rest", "memory_mib", 0),
    Figure("memory at rest, server's process alone (MiB)", ALONE, "memory_mib", 0, 150),
    Figure("memory after the load (MiB)", "loaded", "memory_mib", 0),
    Figure("failed requests, 32 at once", "whole c=32", "failures", 0),
)


async def start_floor(stack: AsyncExitStack, work: Path, upstream: str) -> str:
    """The floor as bench.py takes a target."""
    port, log = free_port(), work / "floor.log"
    command = f"-m uvicorn floor:app --port {port} --loop uvloop --http httptools --log-level error --no-access-log"
    env = {"UPSTREAM": upstream.removesuffix("/v1")}
    process = await stack.enter_async_context(running(log, sys.executable, *command.split(), **env))
    await until_healthy(process, f"http://127.0.0.1:{port}/health", log)
    return f"floor=http://127.0.0.1:{port}/v1,pid={process.pid}"


OURS = {"floor": start_floor, "retinue": start_retinue}
SERVERS = OURS | {"ogx": start_ogx, "litellm": start_litellm}
TITLES = {"direct": "direct", "floor": "floor", "retinue": "Retinue"} | {
    "ogx": f"ogx {version('ogx')}",
    "litellm": f"LiteLLM {version('litellm')}",
}


async def start(name: str, stack: AsyncExitStack, work: Path, upstream: str) -> bench.Target:
    """One server that answers, or nothing of it. Raises ServerFailed."""
    async with AsyncExitStack() as own:
        target = bench.Target.parse(await SERVERS[name](own, work, upstream))
        client, api = bench.Client(target), bench.ChatApi()
        try:
            await client.json("POST", api.path, api.body(target.prefix + MODEL, False))
        except (OSError, RuntimeError, TimeoutError) as error:
            raise ServerFailed(f"{name} does not answer: {error}") from None
        client.close()
        stack.push_async_exit(own.pop_all())
    return target


def one_process(pid: int) -> tuple[float, float]:
    """CPU seconds and memory (MiB, proportional set size) of a process without those that it has started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    memory = next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return (int(fields[11]) + int(fields[12])) / bench.TICK, memory / 1024


async def measured(target: bench.Target, options: argparse.Namespace, known: list[int]) -> dict[str, bench.Sample]:
    """One server's turn in a round; where it has a database beside it, with the share of its own process."""
    server, *others = target.pids
    if not others:
        return await bench.measure_answers(options, bench.ChatApi(), target, known)
    at_rest = one_process(server)[1]
    samples = await bench.measure_answers(options, bench.ChatApi(), target, known)
    alone, together = one_process(server)[0], bench.cpu_seconds(target.pids)
    await bench.whole_answers(target, bench.ChatApi(), MODEL, CONCURRENCY[-1], options.seconds, known)
    share = (one_process(server)[0] - alone) / (bench.cpu_seconds(target.pids) - together)
    whole = samples[f"whole c={CONCURRENCY[-1]}"]["cpu_s_per_1k"]
    samples[ALONE] = {"memory_mib": at_rest, "cpu_s_per_1k": whole * share}
    return samples


def comparison(medians: Medians, missing: dict[str, str]) -> list[str]:
    """The table of all figures, and why a peer is not in it."""
    names = [name for name in TITLES if name in medians or name in missing]
    lines = [f"| | {' | '.join(TITLES[name] for name in names)} |", "|---" * (len(names) + 1) + "|"]
    for figure in FIGURES:
        cells = ["not measured" if name in missing else figure.shown(figure.of(name, medians)) for name in names]
        lines.append(f"| {figure.heading} | {' | '.join(cells)} |")
    reasons = [f"**{TITLES[name]} was not measured:** {why.splitlines()[0]}" for name, why in missing.items()]
    return [*lines, "", *(line for reason in reasons for line in (reason, ""))]


def goals(medians: Medians) -> list[str]:
    """The table of what is aimed at."""
    heads = ("goal", "Retinue", "to the goal", "floor", "floor where the goals were set", "to the goal for this floor")
    lines = [f"| | {' | '.join(heads)} |", "|---" * 7 + "|"]
    for figure in FIGURES:
        if figure.goal is not None:
            mine, floor = (figure.of(name, medians) for name in ("retinue", "floor"))
            cells = [figure.shown(figure.goal), figure.shown(mine), figure.verdict(mine, figure.goal)]
            cells += [figure.shown(floor), figure.shown(figure.floor_then)]
            cells.append(figure.verdict(mine, figure.goal_here(floor)))
            lines.append(f"| {figure.heading} | {' | '.join(cells)} |")
    return lines


def report(medians: Medians, missing: dict[str, str], noise: float, options: argparse.Namespace) -> list[str]:
    """The section of RESULTS.md."""
    lines = [
        circumstances(noise),
        "",
        f"Medians of {options.rounds} rounds with {options.seconds:g} s for each closed loop, all servers measured in "
        "turn in every round, each one process, by a client that shares the machine's cores with them and with the "
        "upstream. `bench.py` says what the figures mean; the numbers of streams tried were "
        f"{', '.join(map(str, options.streams))}.",
        "",
        "Direct is the upstream itself. The floor (`floor.py`) passes bytes on and does nothing else. Retinue checks a "
        "key, keeps limits and records usage in its PostgreSQL, whose CPU and memory count as its own. LiteLLM checks "
        "a key; ogx does not. Neither records anything.",
        "",
        *comparison(medians, missing),
    ]
    return [*lines, *goals(medians)] if {"floor", "retinue"} <= medians.keys() else lines


async def measure(options: argparse.Namespace, work: Path) -> None:
    """Start everything, measure, and write or print the results."""
    missing: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        upstream, upstream_pid = await start_upstream(stack, work)
        targets = [bench.Target.parse(f"direct={upstream},pid={upstream_pid}")]
        for name in options.only:
            try:
                targets.append(await start(name, stack, work, upstream))
            except ServerFailed as error:
                if name in OURS:
                    raise
                missing[name] = str(error)
                print(f"{TITLES[name]} IS NOT MEASURED: {error}", file=sys.stderr)
        known = [pid for target in targets for pid in target.pids]
        rounds: dict[str, list[dict[str, bench.Sample]]] = {target.name: [] for target in targets}
        noise = 0.0
        for number in range(options.rounds):
            for target in targets:
                samples = await measured(target, options, known)
                strangers = max(sample.get("strangers", 0) for sample in samples.values())
                noise = max(noise, strangers)
                rounds[target.name].append(samples)
                mark = "  NOISY" if strangers > NOISE else ""
                print(f"round {number + 1} {target.name}: strangers {strangers:.2f} cores{mark}", file=sys.stderr)
    lines = report(bench.report(rounds, "direct"), missing, noise, options)
    if options.quick or set(options.only) != set(SERVERS):
        print("\n" + "\n".join(lines))
    else:
        write_section("Chat completions", lines)


def names(text: str) -> list[str]:
    given = text.split(",")
    if unknown := set(given) - set(SERVERS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: there is {', '.join(SERVERS)}")
    return given


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="length of one closed loop")
    parser.add_argument("--streams", type=bench.numbers, default=STREAMS, help="numbers of streams to try, in order")
    parser.add_argument("--only", type=names, default=list(SERVERS), help=f"of {','.join(SERVERS)}; prints only")
    parser.add_argument("--quick", action="store_true", help="one short round with few streams; prints only")
    parser.add_argument("--limit", type=float, default=2400, help="seconds after which everything is ended")
    parser.set_defaults(concurrency=CONCURRENCY, paced=[], warm=1.5)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.streams = 1, 1.5, QUICK_STREAMS
    await limited(measure, options)


if __name__ == "__main__":
    uvloop.run(main())
