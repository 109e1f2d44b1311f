"""The text of files made by real programs, with its pages and sections: tests/data/documents/README.md."""

from pathlib import Path

import pytest

from retinue.knowledge.extract import Document, Unreadable, extract

DOCUMENTS = Path(__file__).parent.parent / "data" / "documents"


def read(name: str, shown: str | None = None) -> Document:
    return extract(DOCUMENTS / name, shown or name)


def place(document: Document, part: str) -> tuple[int | None, str | None]:
    """The page and the section on which a part of the text stands; it must be there once."""
    assert document.text.count(part) == 1, part
    at = document.text.index(part)
    last = [place for place in document.places if place.start <= at][-1]
    return last.page, last.section


TABLE = "Gauge | Depth | Keeper\nNorthmole | 7.25 m | Ingrid Varga\nLantern Pier | 3.10 m | Tomás Quill"


@pytest.mark.parametrize("name", ["handbook.docx", "handbook.odt", "handbook.rtf", "handbook.html"])
def test_written_documents_have_all_text_under_its_headings(name: str):
    document = read(name)
    assert place(document, "The observatory opens at 09:40 on weekdays") == (None, "Opening hours")
    assert place(document, "children under seven enter free & need no ticket.") == (None, "Tickets")
    assert place(document, TABLE) == (None, "Tide gauges")
    assert place(document, "校准员必须两人同行。") == (None, "中文说明")
    assert place(document, "先关闭北堤水闸，再拨打内线电话 4417。") == (None, "应急")
    assert "In storms every hour, says the decree of 1911." in document.text
    assert "Write the reading in ink." in document.text


@pytest.mark.parametrize("name", ["handbook.docx", "handbook.odt", "handbook.rtf"])
def test_a_footnote_stands_after_its_paragraph(name: str):
    paragraphs = read(name).text.split("\n\n")
    at = paragraphs.index("A gauge is read twice a day, at high water and at low water.")
    assert paragraphs[at + 1] == "In storms every hour, says the decree of 1911."


def test_a_book_has_the_sections_of_its_table_of_contents():
    document = read("handbook.epub")
    assert place(document, "A ticket costs 14 crowns") == (None, "Opening hours")
    assert place(document, TABLE) == (None, "Tide gauges")
    assert place(document, "再拨打内线电话 4417。") == (None, "中文说明")


@pytest.mark.parametrize("name", ["handbook.pdf", "handbook-chromium.pdf"])
def test_pdf_files_have_pages_and_sections(name: str):
    document = read(name)
    assert place(document, "The observatory opens at 09:40 on weekdays") == (1, "Opening hours")
    assert place(document, "A ticket costs 14 crowns") == (1, "Tickets")
    assert place(document, "Northmole 7.25 m Ingrid Varga") == (2, "Tide gauges")
    assert place(document, "校准员必须两人同行。") == (3, "中文说明")
    assert place(document, "再拨打内线电话 4417。") == (3, "应急")
    # Sentences go on over the ends of lines.
    assert "with the name of the observer and the state of the sea. The observatory keeps" in document.text
    assert " \n" not in document.text


def test_pdf_by_groff():
    document = read("report-groff.pdf")
    assert place(document, "was ground in Saint-Malo and weighs 840 pounds, which is less than")[0] == 1
    assert place(document, "Colza oil is burnt from October to March")[0] == 2


@pytest.mark.parametrize("name", ["slides.pptx", "slides.odp"])
def test_slides_are_pages_under_their_titles(name: str):
    document = read(name)
    assert place(document, "Passengers fell by 8 percent") == (1, "Ferry timetable review")
    assert place(document, "Ask Odile about the ice breaker.") == (1, "Ferry timetable review")
    assert place(document, "Ship | Fuel\nMarguerite | 412 t\nPetrel | 198 t") == (2, "Costs of the fleet")
    assert place(document, "新航线将于五月开往鲸鱼岛。") == (3, "来年计划")


@pytest.mark.parametrize("name", ["sheets.xlsx", "sheets.xls", "sheets.ods"])
def test_sheets_are_pages_with_their_header_near_every_row(name: str):
    document = read(name)
    assert place(document, "Rope no. 77 | 77.5 | 2024-03-22") == (1, "Prices")
    assert place(document, "Sum | 5100") == (1, "Prices")
    assert place(document, "仓库 | 数量\n东门库房 | 318\n西门库房 | 27\n备注：盘点于月末") == (2, "库存")
    since = 0
    for line in document.text.split("\n\n")[0].split("\n"):
        since = 0 if line == "Item | Price | Ordered" else since + 1
        assert since <= 60


def test_a_zip_archive_has_its_files_as_sections():
    document = read("bundle.zip")
    assert place(document, "A ticket costs 14 crowns") == (None, "handbook.docx: Tickets")
    assert place(document, "北堤 | 7.25 | 英格丽") == (None, "gauges-gb18030.csv")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("gauges-gb18030.csv", "站名 | 水深（米） | 负责人\n北堤 | 7.25 | 英格丽\n灯塔码头 | 3.10 | 托马斯"),
        ("notice-big5.txt", "遇到颱風警報時，先關閉北堤水閘，再撥打內線電話 4417。"),
        ("notice-shift-jis.txt", "観測所は平日の九時四十分に開きます。祝日は休みです。"),
        ("notice-utf16.txt", "Harbour notice 港口通知\nThe crane rests on Sundays."),
        ("notice-windows-1252.txt", "Der Schlüssel für die Schleuse liegt unter der Fußmatte – nicht verraten!"),
    ],
)
def test_encodings(name: str, part: str):
    assert part in read(name).text


@pytest.mark.parametrize("name", ["handbook.pdf", "handbook.docx", "slides.odp", "sheets.xls", "handbook.rtf"])
def test_the_kind_is_what_is_in_the_file_not_its_name(name: str):
    assert read(name, "notes.txt") == read(name)


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("handbook-scanned.pdf", "invalid_file", "scanned"),
        ("handbook-encrypted.pdf", "invalid_file", "encrypted"),
        ("handbook-encrypted.docx", "invalid_file", "encrypted"),
        ("encrypted.zip", "invalid_file", "encrypted"),
        ("handbook.doc", "unsupported_file", "Save it as .docx"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(name: str, code: str, words: str):
    with pytest.raises(Unreadable, match=words) as refused:
        read(name)
    assert refused.value.code == code
