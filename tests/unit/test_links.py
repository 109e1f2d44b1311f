"""Links in answers to files of the code interpreter: what they lead to, and where they begin and end."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from retinue.runs.citations import Answer, Sources
from retinue.wire.messages import Annotation, FilePath

from .test_citations import HARBOUR, searched, step

HEAD = "sandbox:/mnt/data/"
NAMES = [
    "a.csv",
    "a.csv.gz",
    "x y.csv",
    "报告 (最终版) [2].csv",
    'it\'s "10%".txt',
    "100%25.csv",
    "图",
    "sub dir/a.csv",
    "s",
]
FILES = {f"/mnt/data/{name}": f"file-{number}" for number, name in enumerate(NAMES)}


def answered(*pieces: str, sources: Sources | None = None) -> tuple[str, list[Annotation]]:
    """An answer that came in these pieces: its text and annotations, each of which names its place."""
    answer = Answer(sources or Sources([], FILES))
    value = "".join([*map(answer.add, pieces), answer.finish()])
    for one in answer.annotations:
        assert value[one.start_index : one.end_index] == one.text
    return value, answer.annotations


def leads(text: str) -> list[tuple[str, str]]:
    """The links of a text, and the names of the files that they lead to; however the text is cut."""
    value, found = answered(text)
    assert answered(*text) == (value, found)
    assert value == text
    names = {file: path.removeprefix("/mnt/data/") for path, file in FILES.items()}
    return [(one.text, names[one.file_path.file_id]) for one in found if isinstance(one, FilePath)]


@pytest.mark.parametrize(
    ("text", "link", "name"),
    [
        ("[a](sandbox:/mnt/data/x y.csv)", "x y.csv", "x y.csv"),
        ("[a](<sandbox:/mnt/data/x y.csv>)", "x y.csv", "x y.csv"),
        ("[a](sandbox:/mnt/data/x%20y.csv)", "x%20y.csv", "x y.csv"),
        ("😀 [下载](sandbox:/mnt/data/报告 (最终版) [2].csv)。", "报告 (最终版) [2].csv", "报告 (最终版) [2].csv"),
        (f"[a]({HEAD}{quote('报告 (最终版) [2].csv')})", quote("报告 (最终版) [2].csv"), "报告 (最终版) [2].csv"),
        (f"[a]({HEAD}报告%20(最终版)%20%5b2%5D.csv)", "报告%20(最终版)%20%5b2%5D.csv", "报告 (最终版) [2].csv"),
        ('`sandbox:/mnt/data/it\'s "10%".txt`', 'it\'s "10%".txt', 'it\'s "10%".txt'),
        ("sandbox:/mnt/data/100%25.csv", "100%25.csv", "100%25.csv"),
        ("sandbox:/mnt/data/sub dir/a.csv", "sub dir/a.csv", "sub dir/a.csv"),
        ("*sandbox:/mnt/data/a.csv*, and", "a.csv", "a.csv"),
        ("_sandbox:/mnt/data/a.csv_ and", "a.csv", "a.csv"),
        ("see sandbox:/mnt/data/a.csv. And", "a.csv", "a.csv"),
        ("see sandbox:/mnt/data/a.csv.", "a.csv", "a.csv"),
        ("sandbox:/mnt/data/a.csv.gz.", "a.csv.gz", "a.csv.gz"),
        ("在sandbox:/mnt/data/a.csv里", "a.csv", "a.csv"),
        ("sandbox:/mnt/data/图。", "图", "图"),
        ("sandbox:/mnt/data/s", "s", "s"),
    ],
)
def test_a_link_in_all_its_forms(text: str, link: str, name: str) -> None:
    assert leads(text) == [(HEAD + link, name)]


@pytest.mark.parametrize(
    "text",
    [
        "sandbox:/mnt/data/none.csv",
        "sandbox:/mnt/data/a.csv2",
        "sandbox:/mnt/data/a.csv.bak",
        "sandbox:/mnt/data/a.csv-old",
        "sandbox:/mnt/data/a.csv/b",
        "sandbox:/mnt/data/a.csv%41",
        "sandbox:/mnt/data/a.csv%E6%8A%A5",
        "sandbox:/mnt/data/图2",
        "sandbox:/mnt/data/图二",
        "sandbox:/mnt/data/A.csv",
        "sandbox:/mnt/data/../a.csv",
        "sandbox:/mnt/data/",
        "sandbox:/mnt/data",
        "sandbox:/etc/passwd",
        "sandbox:/mnt/data/%",
        "sandbox:/mnt/data/%E6%8A",
        "sandbox:/mnt/data/%FF%FE a.csv",
        "/mnt/data/a.csv",
    ],
)
def test_links_to_nothing_stay_text(text: str) -> None:
    assert leads(text) == []
    assert leads(f"[a]({text})") == []


def test_the_same_link_twice_and_others() -> None:
    text = f"[1]({HEAD}a.csv) [2]({HEAD}x y.csv) [3]({HEAD}a.csv)"
    assert [name for _, name in leads(text)] == ["a.csv", "x y.csv", "a.csv"]


def test_citations_beside_links() -> None:
    sources = Sources([step(searched(harbour=HARBOUR))], FILES)
    link = f"[x y](<{HEAD}x y.csv>)"
    value, found = answered(f"The fee is 1200 crowns, see {link}. 【0:0】 Again {link}.", sources=sources)
    assert [one.type for one in found] == ["file_path", "file_citation", "file_path"]
    assert value.count("【0:0†harbour.txt】") == 1


@given(
    st.sampled_from(NAMES),
    st.data(),
    st.sampled_from(["", " ", ")", "。", "\n", ". ", "】", '"']),
    st.lists(st.integers(1, 9), max_size=40),
)
@example("a.csv", None, "", [])
def test_however_it_is_written_and_cut(name: str, data: st.DataObject | None, behind: str, cuts: list[int]) -> None:
    encoded = [data is not None and data.draw(st.booleans()) for _ in name]
    written = "".join(quote(char, safe="") if code else char for char, code in zip(name, encoded, strict=True))
    # Half encoded, a name with % may be another one.
    assume("%" not in name or all(encoded) or not any(encoded))
    text = f"Voilà 😀 {HEAD}{written}{behind}"
    pieces, rest = [""], text
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    value, (found,) = answered(*pieces, rest)
    assert value == text
    assert isinstance(found, FilePath)
    assert (found.text, found.file_path.file_id) == (HEAD + written, FILES[f"/mnt/data/{name}"])


def test_no_more_is_held_back_than_may_become_a_link() -> None:
    answer = Answer(Sources([], FILES))
    assert answer.add(f"see {HEAD}x ") == "see"
    assert answer.add("z.") == f" {HEAD}x z."
    assert answer.add("a sa") == "a"
    assert answer.add("d") == " sad"
