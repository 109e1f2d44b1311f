"""Measures runs of assistants: Retinue beside a floor, on the same machine, in the same minutes.

    python bench/assistants.py [--rounds 3] [--seconds 4] [--concurrency 1,8,32]

Starts a model-free upstream (upstream.mjs, needs node), a Retinue on a fresh data folder, and the floor
(floor_runs.py: the same flow with nothing around it) on a PostgreSQL of the same kind; drives both with bench.py and
writes its section of RESULTS.md. Everything it starts ends with it, after at most --limit seconds.
"""

import argparse
import asyncio
import json
import math
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from results import circumstances, write_section
from retinue.store.embedded import EmbeddedPostgres
from servers import (
    HERE,
    MODEL,
    free_port,
    limited,
    postmaster,
    running,
    start_retinue,
    start_upstream,
    until_healthy,
)

#: Metric of bench.py, heading, factor to the heading's unit, digits.
METRICS = (
    ("flow_p50_ms", "flow p50 (ms)", 1, 1),
    ("flow_p99_ms", "flow p99 (ms)", 1, 1),
    ("first_delta_p50_ms", "first delta p50 (ms)", 1, 1),
    ("runs_per_s", "runs/s", 1, 0),
    ("cpu_s_per_run", "CPU per run (ms)", 1e3, 1),
    ("memory_mib", "memory (MiB)", 1, 0),
    ("failures", "failures", 1, 0),
)


async def start_floor(stack: AsyncExitStack, work: Path, upstream: str) -> str:
    """The floor as bench.py takes a target."""
    data, port, log = work / "floor", free_port(), work / "floor.log"
    data.mkdir()
    server = await stack.enter_async_context(EmbeddedPostgres(data))
    command = f"-m uvicorn floor_runs:app --port {port} --loop uvloop --http httptools --no-access-log".split()
    process = await stack.enter_async_context(
        running(log, sys.executable, *command, PGDSN=server.conninfo, UPSTREAM=upstream)
    )
    await until_healthy(process, f"http://127.0.0.1:{port}/healthz", log)
    return f"floor=http://127.0.0.1:{port}/v1,pid={process.pid}+{postmaster(data).pid}"


def ratio(mine: float, floor: float) -> str:
    """`mine` as a multiple of `floor`."""
    return f"x{mine / floor:.2f}" if floor and math.isfinite(floor) and math.isfinite(mine) else "-"


def table(medians: dict, scenario: str) -> list[str]:
    """One scenario as lines of Markdown: floor, Retinue and their ratio."""
    floor, mine = medians["floor"][scenario], medians["retinue"][scenario]
    lines = [f"### {scenario}", "", "| | floor | Retinue | ratio |", "|---|---|---|---|"]
    for metric, heading, factor, digits in METRICS:
        pair = floor.get(metric, math.nan) * factor, mine.get(metric, math.nan) * factor
        if math.isnan(pair[0]) and math.isnan(pair[1]):
            continue
        shown = " | ".join(f"{value:.{digits}f}" for value in pair)
        lines.append(f"| {heading} | {shown} | {ratio(pair[1], pair[0])} |")
    return [*lines, ""]


def results(measured: dict, options: argparse.Namespace) -> list[str]:
    """The section of RESULTS.md."""
    medians, rounds = measured["medians"], measured["rounds"]
    noise = max(
        sample.get("strangers", 0) for each in rounds.values() for samples in each for sample in samples.values()
    )
    lines = [
        circumstances(noise),
        "",
        f"Medians of {options.rounds} rounds of {options.seconds:g} s for each line, both servers measured in turn in "
        "every round. The load generator and the upstream share the machine's cores.",
        "",
        "The flow: create a thread, add a message, run the assistant until it has completed. Its time is that of all "
        "three; the first delta counts from the request for the run. The model answers "
        f"{MODEL.rpartition('n')[2]} tokens at once. The floor (`floor_runs.py`) writes the same rows with nothing "
        "around them: no queue, no lease, no tools, no validation, no authentication. CPU and "
        "memory are those of the server with its PostgreSQL.",
        "",
    ]
    for scenario in medians["floor"]:
        if "run" in scenario:
            lines += table(medians, scenario)
    rest = [f"{name} {scenarios['rest']['memory_mib']:.0f} MiB" for name, scenarios in medians.items()]
    return [*lines, f"At rest: {', '.join(rest)}."]


async def measure(options: argparse.Namespace, work: Path) -> None:
    """Start everything, run bench.py, write the results."""
    async with AsyncExitStack() as stack:
        upstream, upstream_pid = await start_upstream(stack, work)
        targets = [await start_floor(stack, work, upstream), await start_retinue(stack, work, upstream)]
        samples = work / "samples.json"
        command = [sys.executable, str(HERE / "bench.py"), "assistants", "--known", str(upstream_pid)]
        for target in targets:
            command += ["--target", target]
        command += ["--rounds", str(options.rounds), "--seconds", str(options.seconds), "--model", MODEL]
        command += ["--concurrency", options.concurrency, "--json", str(samples)]
        process = await asyncio.create_subprocess_exec(*command)
        try:
            if await process.wait() != 0:
                raise SystemExit("bench.py has failed")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        lines = results(json.loads(samples.read_text()), options)
    write_section("Runs of assistants", lines)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="length of one closed loop")
    parser.add_argument("--concurrency", default="1,8,32")
    parser.add_argument("--limit", type=float, default=900, help="seconds after which everything is ended")
    await limited(measure, parser.parse_args())


if __name__ == "__main__":
    asyncio.run(main())
