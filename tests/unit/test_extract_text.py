"""Text formats, encodings, and kinds of files that are not text."""

from pathlib import Path

import pytest

from retinue.knowledge.extract import Document, Limits, Place, Unreadable, extract
from retinue.knowledge.extract.encodings import decode

SENTENCES = {
    "gb18030": "潮位计每年春分校准一次，由两人同行。",
    "big5": "潮位計每年春分校準一次，由兩人同行。",
    "shift_jis": "潮位計は毎年の春に二人で確認します。",
    "euc_jp": "潮位計は毎年の春に二人で確認します。",
    "iso2022_jp": "潮位計は毎年の春に二人で確認します。",
    "euc_kr": "관측소는 평일 아홉 시에 문을 엽니다.",
    "cp1252": "À l’été, le Café « Müller » ouvre à huit heures.",
    "cp1250": "Wieża stoi na końcu nabrzeża, więc jest wietrzna.",
    "cp1251": "Обсерватория открывается в девять часов утра.",
    "koi8_r": "Обсерватория открывается в девять часов утра.",
    "cp1253": "Το παρατηρητήριο ανοίγει στις εννέα το πρωί.",
    "utf-8": "潮位计 – Müller",
    "utf-8-sig": "潮位计 – Müller",
    "utf-16": "潮位计 – Müller",
    "utf-16-le": "The gauge is read twice a day: 潮位计",
    "utf-16-be": "The gauge is read twice a day: 潮位计",
    "utf-32": "潮位计 – Müller",
    "utf-32-le": "潮位计 – Müller",
}


def of(tmp_path: Path, content: str | bytes, name: str, limits: Limits | None = None) -> Document:
    path = tmp_path / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return extract(path, name, limits or Limits())


@pytest.mark.parametrize("encoding", SENTENCES)
def test_one_sentence_is_enough_to_tell_its_encoding(encoding: str):
    assert decode(SENTENCES[encoding].encode(encoding)) == SENTENCES[encoding]


def test_far_into_the_file_the_encoding_is_told_too():
    text = "All of this is ASCII.\n" * 5_000 + SENTENCES["gb18030"]
    assert decode(text.encode("gb18030")) == text


def test_single_errors_do_not_hide_utf8():
    assert decode(("潮位计。" * 20).encode() + b"\xff") == "潮位计。" * 20 + "�"


def test_a_declared_encoding_holds():
    page = '<meta charset="iso-8859-2"><p>¶ ł'
    assert "ł" in decode(page.encode("iso-8859-2", "replace"))


def test_markdown_has_sections_but_not_from_code(tmp_path: Path):
    text = "Intro\n\n# One #\n\nfirst\n\n```\n# no heading\n```\n\nTwo\n===\n\nsecond\n"
    document = of(tmp_path, text, "a.md")
    assert document.text == text.strip("\n")
    assert [place.section for place in document.places] == [None, "One", "Two"]
    assert document.text[document.places[2].start :].startswith("Two\n===")


def test_the_name_tells_text_formats_apart(tmp_path: Path):
    assert of(tmp_path, "# not a heading\nx = 1\n", "a.py") == Document("# not a heading\nx = 1", [])


def test_html_is_told_by_its_beginning(tmp_path: Path):
    page = "<!DOCTYPE html><title>Gauges</title><style>p{}</style><p>one<br>two &amp; <b>three</b><script>x()</script>"
    document = of(tmp_path, page, "page")
    assert document == Document("Gauges\n\none\ntwo & three", [Place(0, None, "Gauges")])


def test_tables_for_layout_become_paragraphs(tmp_path: Path):
    page = "<table><tr><td>menu<td><h1>Title</h1><p>text<table><tr><th>a<th>b<tr><td>1<td>2</table></table>after"
    assert of(tmp_path, page, "page.html").text == "menu\n\nTitle\n\ntext\n\na | b\n1 | 2\n\nafter"


def test_json_in_one_line_is_broken_and_its_escapes_are_read(tmp_path: Path):
    text = of(
        tmp_path, '[{"name": "\\u6f6e\\u4f4d", "n": 1.50, "s": "a,\\"b"},' + '{"x": 0},' * 200 + "1]", "a.json"
    ).text
    assert text.startswith('[\n {\n  "name": "潮位",\n  "n": 1.50,\n  "s": "a,\\"b"\n },')
    assert max(map(len, text.split("\n"))) < 100


def test_json_of_any_depth_is_read(tmp_path: Path):
    assert "1" in of(tmp_path, "[" * 100_000 + "1", "a.json").text


def test_the_header_of_a_csv_file_is_repeated(tmp_path: Path):
    rows = "".join(f'{number};"line; {number}"\n' for number in range(100))
    lines = of(tmp_path, "number;what\n" + rows, "a.csv").text.split("\n")
    assert lines.count("number | what") == 3
    assert "77 | line; 77" in lines


def test_rows_of_numbers_have_no_header(tmp_path: Path):
    text = of(tmp_path, "".join(f"{number},{number}\n" for number in range(1, 100)), "a.csv").text
    assert text.split("\n") == [f"{number} | {number}" for number in range(1, 100)]


def test_controls_and_halves_of_characters_are_left_out(tmp_path: Path):
    text = of(tmp_path, "one\r\ntwo\x0cthree\x7f\ufeff four" + " word" * 100 + "\x08", "a.txt").text
    assert text.startswith("one\ntwo\nthree four word")
    assert text.isascii()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a picture"),
        (b"ID3\x04\x00\x00", "a sound recording"),
        (b"\x00\x00\x00\x20ftypisom\x00", "a film"),
        (b"MZ\x90\x00\x03\x00\x00\x00", "a program"),
        (b"\x1f\x8b\x08\x00", "archive other than ZIP"),
        (bytes(range(256)) * 20, "neither text nor"),
    ],
)
def test_other_files_are_refused_by_what_they_are(tmp_path: Path, content: bytes, words: str):
    with pytest.raises(Unreadable, match=words) as refused:
        of(tmp_path, content, "report.txt")
    assert refused.value.code == "unsupported_file"


@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf"])
def test_a_file_without_text_is_refused(tmp_path: Path, content: bytes):
    with pytest.raises(Unreadable, match="no text") as refused:
        of(tmp_path, content, "a.txt")
    assert refused.value.code == "invalid_file"


def test_a_text_that_is_too_long_is_refused(tmp_path: Path):
    with pytest.raises(Unreadable, match="more than 1,000 characters"):
        of(tmp_path, "x " * 600, "a.txt", Limits(characters=1_000))
