"""The servers that bench.py measures, and what /proc says about them: CPU, memory, and what strangers use."""

import dataclasses
import json
import os
import time
from urllib.parse import urlsplit

clock = time.perf_counter
TICK = os.sysconf("SC_CLK_TCK")


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
