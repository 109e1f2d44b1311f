#!/usr/bin/env python3
"""One Markdown row per measured server, from the files that bench.py --json wrote.

summary.py results/*.json
"""

import json
import os
import sys

COLUMNS = (
    "server",
    "added p50 / p99 c=1 (ms)",
    "req/s c=1 / 32 / 256",
    "CPU ms / request (x direct)",
    "paced 500 ms, c=32: added p50 (ms)",
    "added first token, 1 / 16 streams (ms)",
    "late tokens p50, 16 streams (ms)",
    "gap p99, 16 streams (ms)",
    "CPU s / 1k chunks burst (x) / 32 streams (x)",
    "streams held",
    "MiB at rest / loaded",
    "strangers (cores)",
)


def row(name: str, own: dict, direct: dict | None) -> tuple[str, ...]:
    def value(scenario: str, metric: str) -> float:
        return own.get(scenario, {}).get(metric, float("nan"))

    def beyond(scenario: str, metric: str) -> str:
        reference = direct.get(scenario, {}).get(metric, 0) if direct else 0
        return f"{value(scenario, metric) - reference:.2f}"

    def times(scenario: str, metric: str) -> str:
        reference = direct.get(scenario, {}).get(metric) if direct else None
        return f"x{value(scenario, metric) / reference:.0f}" if reference else "-"

    burst, paced = "stream burst c=8", "streams n=32"
    return (
        name,
        f"{beyond('whole c=1', 'p50_ms')} / {beyond('whole c=1', 'p99_ms')}",
        " / ".join(f"{value(f'whole c={c}', 'per_s'):.0f}" for c in (1, 32, 256)),
        f"{value('whole c=32', 'cpu_s_per_1k'):.3f} ({times('whole c=32', 'cpu_s_per_1k')})",
        beyond("whole paced 500ms c=32", "p50_ms"),
        f"{beyond('streams n=1', 'added_ttft_p50_ms')} / {beyond('streams n=16', 'added_ttft_p50_ms')}",
        beyond("streams n=16", "late_p50_ms"),
        f"{value('streams n=16', 'gap_p99_ms'):.1f}",
        f"{value(burst, 'cpu_s_per_1k_chunks'):.4f} ({times(burst, 'cpu_s_per_1k_chunks')})"
        f" / {value(paced, 'cpu_s_per_1k_chunks'):.3f} ({times(paced, 'cpu_s_per_1k_chunks')})",
        f"{value('held', 'streams'):.0f}",
        f"{value('rest', 'memory_mib'):.0f} / {value('loaded', 'memory_mib'):.0f}",
        f"{value('whole c=32', 'strangers'):.1f}",
    )


def main() -> None:
    print("| " + " | ".join(COLUMNS) + " |\n|" + " --- |" * len(COLUMNS))
    for path in sys.argv[1:]:
        with open(path) as file:
            medians = json.load(file)["medians"]
        label = os.path.basename(path).removesuffix(".json")
        if not any("whole c=1" in scenarios for scenarios in medians.values()):
            continue  # an assistants file: read its .txt
        for target, scenarios in medians.items():
            shown = f"(direct, in {label}'s rounds)" if target == "direct" else label
            print(
                "| " + " | ".join(row(shown, scenarios, medians.get("direct") if target != "direct" else None)) + " |"
            )


if __name__ == "__main__":
    main()
