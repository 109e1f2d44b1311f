"""Text recognition (OCR) of scanned pages and pictures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from retinue.knowledge.extract import Document, Limits, Unreadable, extract, lines, recognition
from retinue.knowledge.extract.lines import Line
from retinue.knowledge.reading import Readers
from retinue.settings import Settings
from retinue.wire.vector_stores import ChunkSizes

DOCUMENTS = Path(__file__).parent.parent / "data" / "documents"
CHINESE = "观测站每年春分校准全部潮位计，校准员必须两人同行。"


def place(document: Document, part: str) -> tuple[int | None, str | None]:
    at = document.text.index(part)
    last = [place for place in document.places if place.start <= at][-1]
    return last.page, last.section


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """What stands on the Chinese page of the scan, as a JPEG file that is to be turned upright."""
    path = tmp_path / "photo"
    with Image.open(DOCUMENTS / "handbook-scanned.tiff") as scan:
        scan.seek(1)
        page = scan.convert("L").crop((80, 120, 1000, 280)).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees, clockwise
    page.save(path, "JPEG", exif=exif)
    return path


def test_a_coarse_scan_is_read_but_for_single_letters():
    document = extract(DOCUMENTS / "handbook-scanned.pdf", "a.pdf", ocr=True)
    assert place(document, "Harbour Observatory Handbook")[0] == 1
    # Of letters 8 pixels high, some stand apart.
    letters = "".join(document.text.split())
    assert "andstaysshutonthefeastofSaintBrendan" in letters
    assert "costs14crowns;childrenundersevenenterfree" in letters


def test_pages_without_text_are_read_in_their_place_and_others_left_alone():
    document = extract(DOCUMENTS / "handbook-mixed.pdf", "a.pdf", Limits(recognized=1), ocr=True)
    written = extract(DOCUMENTS / "handbook.pdf", "a.pdf").text
    assert document.text.startswith(written.split("Tide gauges")[0].rstrip())
    assert place(document, CHINESE) == (2, "中文说明")
    assert place(document, "先关闭北堤水闸") == (2, "应急")


async def test_the_process_that_reads_recognizes_within_its_limits(small: Path, readers: Readers):
    picture = await asyncio.to_thread(small.read_bytes)

    async def content() -> AsyncIterator[bytes]:
        yield picture

    async with readers.read(content(), "photo", ChunkSizes(max_chunk_size_tokens=100, chunk_overlap_tokens=0)) as it:
        chunks = [chunk async for part in it.slices() for chunk in part]
    assert CHINESE in chunks[0].text


@pytest.fixture
async def readers() -> AsyncIterator[Readers]:
    readers = Readers(Settings(ocr=True))
    yield readers
    await readers.close()


def test_a_photo_is_turned_upright(small: Path):
    assert CHINESE in extract(small, "photo.jpg", ocr=True).text


@pytest.mark.parametrize("name", ["handbook-scanned.pdf", "handbook-scanned.tiff"])
def test_without_the_option_the_message_says_how_to_switch_it_on(name: str):
    with pytest.raises(Unreadable, match="setting `ocr`"):
        extract(DOCUMENTS / name, name)


def test_without_the_extra_the_message_says_what_to_install(small: Path, monkeypatch: pytest.MonkeyPatch):
    recognition._engine.cache_clear()
    monkeypatch.setattr(recognition, "find_spec", lambda name: None)
    with pytest.raises(Unreadable, match=r"pip install 'retinue\[ocr\]'"):
        extract(small, "photo.jpg", ocr=True)


def test_so_many_pages_and_pixels_and_no_more(small: Path):
    with pytest.raises(Unreadable, match="more than 0 pages without text"):
        extract(DOCUMENTS / "handbook-scanned.pdf", "a.pdf", Limits(recognized=0), ocr=True)
    with pytest.raises(Unreadable, match="more than 1,000 pixels"):
        extract(small, "photo.jpg", Limits(pixels=1_000), ocr=True)


def test_a_picture_that_is_damaged(tmp_path: Path):
    path = tmp_path / "picture"
    path.write_bytes((DOCUMENTS / "handbook-scanned.tiff").read_bytes()[:2000])
    with pytest.raises(Unreadable, match="damaged"):
        extract(path, "a.tiff", ocr=True)


def test_a_picture_without_text(tmp_path: Path):
    path = tmp_path / "picture"
    Image.new("P", (40, 20)).save(path, "PNG")
    with pytest.raises(Unreadable, match="no text"):
        extract(path, "a.png", ocr=True)


def test_the_runtime_that_is_installed_does_not_report_to_its_maker():
    runtime = find_spec("onnxruntime")
    assert runtime
    assert runtime.origin
    libraries = list((Path(runtime.origin).parent / "capi").glob("*.so*"))
    assert libraries
    # Versions that can report also know the variable that keeps them from it.
    assert not any(b"ORT_DISABLE_TELEMETRY" in path.read_bytes() for path in libraries)


def at(text: str, left: float, right: float, down: float) -> Line:
    return Line(text, left, right, -down, 10)


def text(columns: list[list[Line]]) -> list[list[str]]:
    return [[line.text for line in column] for column in columns]


def test_columns_are_read_one_after_the_other():
    page = [at("title", 20, 80, 0), at("l1", 0, 45, 20), at("r1", 55, 100, 21), at("l2", 0, 45, 40)]
    page += [at("r2", 55, 99, 41), at("r3", 55, 90, 60), at("l3", 0, 30, 60), at("l4", 0, 45, 80)]
    page += [at("r4", 55, 90, 80), at("below", 0, 100, 110)]
    columns = [["title"], ["l1", "l2", "l3", "l4"], ["r1", "r2", "r3", "r4"], ["below"]]
    assert text(lines.in_columns(page)) == columns


def test_three_columns():
    page = [at(f"{column}{row}", 40 * column, 40 * column + 35, 20 * row) for row in range(4) for column in range(3)]
    assert text(lines.in_columns(page)) == [[f"{column}{row}" for row in range(4)] for column in range(3)]


def test_a_table_is_read_row_by_row():
    page = [at(f"{column}{row}", 30 * column, 30 * column + 5, 20 * row) for column in range(4) for row in range(4)]
    assert text(lines.in_columns(page)) == [[f"0{row} 1{row} 2{row} 3{row}" for row in range(4)]]
