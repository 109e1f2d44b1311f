"""RESULTS.md: each benchmark writes a section of its own and leaves the others as they are."""

import datetime
import importlib.metadata

from servers import HERE, machine

#: Cores taken by strangers from which on a run says nothing to other runs.
NOISE = 0.5

_FILE = HERE / "RESULTS.md"
_TOP = """# Results

Each section is written by its part of `make bench`. Compare ratios within one run: single figures move with the
machine.

"""


def write_section(heading: str, lines: list[str]) -> None:
    """Put `lines` under the second-level `heading`, in place of what was there, else at the end; and print them."""
    _, *sections = _FILE.read_text().split("\n## ") if _FILE.exists() else [""]
    kept = {section.partition("\n")[0]: section.partition("\n")[2].strip() for section in sections}
    kept[heading] = "\n".join(lines).strip()
    _FILE.write_text(_TOP + "\n".join(f"## {name}\n\n{text}\n" for name, text in kept.items()))
    print(f"\n## {heading}\n\n{kept[heading]}\n\nWritten to {_FILE}")


def circumstances(noise: float | None = None) -> str:
    """When and on what the figures came about, and how many cores others took meanwhile (`noise`), where known."""
    text = (
        f"Measured on {datetime.datetime.now(datetime.UTC):%Y-%m-%d} with Retinue "
        f"{importlib.metadata.version('retinue')}. Machine: {machine()}."
    )
    if noise is not None:
        text += f" Other processes took up to {noise:.2f} cores"
        text += "; too noisy to compare with other runs." if noise > NOISE else "."
    return text
