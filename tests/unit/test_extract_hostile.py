"""Files made to do harm end within the limits, with a message in words."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue.knowledge.extract import Document, Limits, Unreadable, extract

DOCUMENTS = Path(__file__).parent.parent / "data" / "documents"
MADE_BY_PROGRAMS = sorted(path for path in DOCUMENTS.iterdir() if path.suffix != ".md")


def archive(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return made.getvalue()


def changed(name: str, member: str, content: bytes) -> bytes:
    """A document whose archive has other content in one of its files."""
    with zipfile.ZipFile(DOCUMENTS / name) as before:
        return archive({each: before.read(each) for each in before.namelist()} | {member: content})


def refused(tmp_path: Path, content: bytes, name: str, limits: Limits | None = None) -> Unreadable:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(Unreadable) as error:
        extract(path, name, limits or Limits())
    return error.value


def test_a_zip_bomb(tmp_path: Path):
    bomb = archive({f"{number}.txt": bytes(30_000_000) for number in range(3)})
    assert "times its size" in refused(tmp_path, bomb, "a.zip").message


def test_a_document_that_is_a_zip_bomb(tmp_path: Path):
    bomb = changed("handbook.docx", "word/document.xml", b"<w>" + b" " * 30_000_000 + b"</w>")
    assert "times its size" in refused(tmp_path, bomb, "a.docx").message


def test_all_archives_together_have_one_limit(tmp_path: Path):
    inner = archive({"word/document.xml": b"<w/>" * 1_000, "[Content_Types].xml": b""})
    outer = archive({f"{number}.docx": inner for number in range(100)})
    assert "bytes when it is unpacked" in refused(tmp_path, outer, "a.zip", Limits(unpacked_bytes=20_000)).message


def test_too_many_files(tmp_path: Path):
    many = archive({f"{number}.txt": b"text" for number in range(11)})
    assert "more than 10 files" in refused(tmp_path, many, "a.zip", Limits(members=10)).message


def test_an_archive_in_an_archive(tmp_path: Path):
    error = refused(tmp_path, archive({"inner.zip": archive({"a.txt": b"text"})}), "a.zip")
    assert (error.code, "an archive in an archive" in error.message) == ("unsupported_file", True)


def test_an_archive_is_read_though_a_file_in_it_cannot_be(tmp_path: Path):
    path = tmp_path / "a.zip"
    path.write_bytes(archive({"a.png": b"\x89PNG\r\n\x1a\n", "__MACOSX/b": b"\x00", "b.txt": b"text"}))
    assert extract(path, "a.zip").text == "text"


@pytest.mark.parametrize(("name", "member"), [("handbook.docx", "word/document.xml"), ("handbook.odt", "content.xml")])
def test_entities_that_grow(tmp_path: Path, name: str, member: str):
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 20))
    bomb = f'<!DOCTYPE p [<!ENTITY e0 "ha">{entities}]><p>&e19;</p>'
    assert "damaged" in refused(tmp_path, changed(name, member, bomb.encode()), name).message


def test_a_file_of_the_system_is_not_read(tmp_path: Path):
    xml = b'<!DOCTYPE p [<!ENTITY e SYSTEM "file:///etc/passwd">]><office><p>&e;</p></office>'
    assert "root" not in refused(tmp_path, changed("handbook.odt", "content.xml", xml), "a.odt").message


@pytest.mark.parametrize("deep", ["<p>", "<table><tr><td>", "<div>"])
def test_html_of_any_depth(tmp_path: Path, deep: str):
    path = tmp_path / "a.html"
    path.write_text(deep * 3_000 + "at the bottom")
    assert extract(path, "a.html").text == "at the bottom"


def test_xml_of_any_depth(tmp_path: Path):
    path = tmp_path / "a.odt"
    deep = b"<section>" * 20_000 + b"<p>at the bottom</p>" + b"</section>" * 20_000
    path.write_bytes(changed("handbook.odt", "content.xml", deep))
    assert extract(path, "a.odt", Limits(ratio=100_000)).text == "at the bottom"


def test_groups_of_rtf_within_each_other(tmp_path: Path):
    assert "groups within" in refused(tmp_path, b"{\\rtf1 " + b"{" * 20_000, "a.rtf").message


def test_a_sheet_whose_cells_are_far_apart(tmp_path: Path):
    row = '<row r="{0}"><c r="{1}{0}"><v>1</v></c></row>'
    sheet = f"<worksheet><sheetData>{row.format(1, 'A')}{row.format(1048576, 'XFD')}</sheetData></worksheet>"
    bomb = changed("sheets.xlsx", "xl/worksheets/sheet1.xml", sheet.encode())
    assert "1,048,576 rows and 16,384 columns" in refused(tmp_path, bomb, "a.xlsx").message


def test_cells_that_are_repeated_without_end(tmp_path: Path):
    cells = '<table-cell number-columns-repeated="16384"><p>x</p></table-cell>'
    rows = f'<table-row number-rows-repeated="1048576">{cells * 9}</table-row>'
    content = f"<spreadsheet><table>{rows}</table></spreadsheet>".encode()
    bomb = changed("sheets.ods", "content.xml", content)
    assert "more than 100,000 cells" in refused(tmp_path, bomb, "a.ods", Limits(cells=100_000)).message


def test_more_cells_than_the_limit(tmp_path: Path):
    content = (DOCUMENTS / "sheets.xlsx").read_bytes()
    assert "more than 100 cells" in refused(tmp_path, content, "a.xlsx", Limits(cells=100)).message


def test_more_pages_than_the_limit(tmp_path: Path):
    content = (DOCUMENTS / "handbook.pdf").read_bytes()
    assert "more than 2 pages" in refused(tmp_path, content, "a.pdf", Limits(pages=2)).message


@pytest.mark.parametrize("path", MADE_BY_PROGRAMS, ids=lambda path: path.name)
def test_half_a_file(tmp_path: Path, path: Path):
    read_or_refused(tmp_path, path.read_bytes()[: path.stat().st_size // 2], path.name)


def read_or_refused(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    try:
        document = extract(path, name)
    except Unreadable:
        return
    assert isinstance(document, Document)
    document.text.encode()
    starts = [place.start for place in document.places]
    assert starts == sorted(set(starts))
    assert not starts or (starts[0] == 0 and starts[-1] < len(document.text))


SUFFIXES = st.sampled_from([".txt", ".md", ".html", ".json", ".csv", ".pdf", ".docx"])
FUZZ = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FUZZ
@given(
    beginning=st.sampled_from([b"", b"%PDF-1.7\n", b"PK\x03\x04", b"{\\rtf1", b"<html>"]),
    rest=st.binary(),
    name=SUFFIXES,
)
def test_random_bytes_are_read_or_refused(tmp_path: Path, beginning: bytes, rest: bytes, name: str):
    read_or_refused(tmp_path, beginning + rest, name)


@FUZZ
@given(
    path=st.sampled_from(MADE_BY_PROGRAMS),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1),
)
def test_documents_with_changed_bytes_are_read_or_refused(tmp_path: Path, path: Path, changes: list[tuple[float, int]]):
    content = bytearray(path.read_bytes())
    for where, byte in changes:
        content[int(where * (len(content) - 1))] = byte
    read_or_refused(tmp_path, bytes(content), path.name)
