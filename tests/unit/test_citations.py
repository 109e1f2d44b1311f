"""Marks and links in answers, and what they cite."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.runs.citations import Answer, Sources
from retinue.wire.messages import Annotation, FileCitation, FilePath
from retinue.wire.steps import (
    FileSearchCall,
    FileSearchResult,
    FileSearchToolCall,
    FunctionCallResult,
    FunctionToolCall,
    ResultText,
    RunStep,
    ServedCall,
    ToolCall,
    ToolCallsDetails,
)

BIRDS = "The kestrel hovers over meadows. It eats voles."
HARBOUR = "The harbour office of Lund opens at 9:00 on weekdays. The fee is 1,200 crowns a year."
LIBRARY = "青石桥图书馆每周三闭馆。借书期限为二十八天。"


def searched(**files: str) -> ToolCall:
    results = [
        FileSearchResult(file_id=f"file-{name}", file_name=f"{name}.txt", score=1, content=[ResultText(text=text)])
        for name, text in files.items()
    ]
    return FileSearchToolCall(id="call", file_search=FileSearchCall(results=results))


def step(*calls: ToolCall, **written: str) -> RunStep:
    paths = {f"/mnt/data/{name}": file for name, file in written.items()}
    return RunStep(
        id="step_1",
        created_at=1,
        assistant_id="asst_1",
        thread_id="thread_1",
        run_id="run_1",
        type="tool_calls",
        status="completed",
        step_details=ToolCallsDetails(tool_calls=list(calls)),
        served={"call": ServedCall(name="code_interpreter", arguments="{}", files=paths)},
    )


FUNCTION = FunctionToolCall(id="call_f", function=FunctionCallResult(name="f", arguments="{}"))
SOURCES = Sources(
    [step(FUNCTION, searched(birds=BIRDS, harbour=HARBOUR)), step(searched(library=LIBRARY), **{"a.csv": "file-1"})]
)
B, H, L = "【1:0†birds.txt】", "【1:1†harbour.txt】", "【2:0†library.txt】"


def answered(*pieces: str, sources: Sources = SOURCES, verbatim: bool = False) -> tuple[str, list[Annotation]]:
    """What becomes of an answer, of which each annotation stands where it says, and comes with its text."""
    answer = Answer(sources, verbatim=verbatim)
    value = ""
    for add in [*(lambda piece=piece: answer.add(piece) for piece in pieces), answer.finish]:
        told = len(answer.annotations)
        before, value = value, value + add()
        for one in answer.annotations[told:]:
            assert len(before) <= one.start_index < one.end_index <= len(value)
    for one in answer.annotations:
        assert value[one.start_index : one.end_index] == one.text
    return value, answer.annotations


def files(annotations: list[Annotation]) -> list[str]:
    return [one.file_citation.file_id for one in annotations if isinstance(one, FileCitation)]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("【1:0†birds.txt】", B),
        ("【1:1†whatever】", H),
        ("【2:0】", L),
        ("[1:0†birds.txt]", B),
        ("(1:0†birds.txt)", B),
        ("【1：0†birds.txt】", B),
        ("【１:０】", B),
        ("【 1 : 0 † birds.txt 】", B),
        ("【1:0†L1-L5】", B),
        ("【1:0, 1:1】", B + H),
        ("【1:0†a, b.txt；2:0†x】", B + L),
        ("【1:0,1:0】", B),
        ("【1:0, 9:9】", B),
        ("【harbour.txt】", H),
        ("【4†harbour.txt】", H),
    ],
)
def test_marks_in_all_their_forms(written: str, shown: str) -> None:
    value, annotations = answered(f"😀 前 {written} after.")
    assert value == f"😀 前 {shown} after."
    assert "".join(one.text for one in annotations) == shown


@pytest.mark.parametrize(
    "written",
    [
        "【0:0†a function finds nothing】",
        "【1:2†x】",
        "【3:0】",
        "【999999:999†x】",
        "【-1:0†x】",
        "【8†source】",
        "[7:0†x]",
    ],
)
def test_marks_that_name_nothing_are_left_out(written: str) -> None:
    assert answered(f"So it is {written}.") == ("So it is.", [])
    assert answered(f"So {written} it is") == ("So it is", [])
    assert answered(f"So it is {written}\n{written} now") == ("So it is\nnow", [])


@pytest.mark.parametrize(
    "text",
    [
        "【重要】",
        "【8:30】",
        "[1]",
        "[1:0]",
        "(1:0)",
        "【1:0†x",
        "【1:0†\n】",
        "【" + "†" * 600 + "】",
        "[a](b) 【】",
        "【x",
    ],
)
def test_what_is_no_mark_is_left_alone(text: str) -> None:
    assert answered(text) == (text, [])


def test_without_sources_text_passes_at_once() -> None:
    for sources in (Sources([]), Sources([step(FUNCTION)])):
        answer = Answer(sources)
        assert answer.add("【1:0†x") == "【1:0†x"
        assert answer.finish() == ""


def test_only_what_may_become_a_mark_is_held_back() -> None:
    answer = Answer(SOURCES)
    shown = [answer.add(piece) for piece in ("Kest", "rel. ", "【1:", "0", "†x】", " [", "1:0", "]", " 【", "x" * 600)]
    assert shown == ["Kest", "rel.", "", "", f" {B}", "", "", " [1:0]", "", f" 【{'x' * 600}"]
    assert answer.add(" " * 499) == ""
    assert answer.add(" ") == " " * 500


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (BIRDS, f"The kestrel hovers over meadows.{B} It eats voles."),
        ("Kestrels eat voles! Yes, the fee is 1200 crowns.", f"Kestrels eat voles!{B} Yes, the fee is 1200 crowns.{H}"),
        ("- Kestrels eat voles\n- The fee: 1,200 crowns\n", f"- Kestrels eat voles{B}\n- The fee: 1,200 crowns{H}\n"),
        ("图书馆每周三闭馆。欢迎！", f"图书馆每周三闭馆。{L}欢迎！"),
        ("他说：“图书馆每周三闭馆。”好的。", f"他说：“图书馆每周三闭馆。”{L}好的。"),
        ("**Kestrels eat voles.** Great!", f"**Kestrels eat voles.**{B} Great!"),
        ("The Lund office opens at 9:00 on weekdays", f"The Lund office opens at 9:00 on weekdays{H}"),
        (
            "|a|b|\n|-|:-:|\n| kestrel | eats voles |\n|Fee|1200 crowns|\n\nBye",
            f"|a|b|\n|-|:-:|\n| kestrel | eats voles{B} |\n|Fee|1200 crowns{H}|\n\nBye",
        ),
    ],
)
def test_sentences_without_marks_get_them(text: str, shown: str) -> None:
    value, annotations = answered(text)
    assert value == shown
    assert annotations


@pytest.mark.parametrize(
    "text",
    [
        f"The kestrel hovers over meadows. {B} Thanks.",
        f"The kestrel {B} hovers over meadows.",
        f"The kestrel hovers over meadows{B}. It eats voles.",
        f"The kestrel hovers over meadows.{B} {H} Thanks.",
        f"The kestrel hovers over meadows.\n{B}\n",
        f"{B} The kestrel hovers over meadows.\n",
        "The kestrel eats cheese in Paris and Rome. The fee is 1300 crowns a month.",
        "Does the kestrel hover over meadows?",
        "The kestrel hovers over meadows:",
        "The files do not mention that the kestrel hovers over meadows.",
        "文件没有提到图书馆每周三闭馆。",
        "Hello! How can I help you today?",
        "# The kestrel hovers over meadows\n",
        "```\nThe kestrel hovers over meadows.\n```",
        "The kestrel | hovers over meadows\n",
    ],
)
def test_sentences_that_have_a_mark_or_claim_nothing_get_none(text: str) -> None:
    assert answered(text)[0] == text


def test_in_json_nothing_is_put_in() -> None:
    text = '{"a": "The kestrel hovers over meadows. 【1:0, 1:1】", "b": 【1:1】【7:7†x】}'
    value, annotations = answered(text, verbatim=True)
    assert value == text.replace("【7:7†x】", "")
    assert files(annotations) == ["file-birds", "file-harbour", "file-harbour"]


PIECES = [
    *(
        B,
        "【1:1】",
        "【7:7†x】",
        "[1:0†x]",
        "【1:0, 2:0】",
        "【",
        "】",
        "[",
        "†",
        "1:0",
        " ",
        "  ",
        "\n",
        "\n\n",
        ".",
        "。",
    ),
    *("Kestrels eat voles.", "图书馆每周三闭馆。", "The fee is 1200 crowns", "sandbox:/mnt/data/a.csv", "s", "e.g. "),
    *("|", "\n|-|-|\n", "```\n", "# ", "- ", '"', "*", "`", ")", "?", "x" * 300, " " * 300, "sandbox:/mnt/data/"),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


@given(TEXTS, st.lists(st.integers(1, 40), max_size=60), st.booleans())
def test_it_makes_no_difference_how_a_text_is_cut(text: str, cuts: list[int], verbatim: bool) -> None:
    pieces: list[str] = []
    for cut in cuts:
        pieces.append(text[:cut])
        text = text[cut:]
    pieces.append(text)
    whole = answered("".join(pieces), verbatim=verbatim)
    assert answered(*pieces, verbatim=verbatim) == whole
    assert answered(*"".join(pieces), verbatim=verbatim) == whole


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("[csv](sandbox:/mnt/data/a.csv)", "sandbox:/mnt/data/a.csv"),
        ("It is sandbox:/mnt/data/a.csv.", "sandbox:/mnt/data/a.csv"),
        ("在 sandbox:/mnt/data/a.csv。", "sandbox:/mnt/data/a.csv"),
        ("[csv](sandbox:/mnt/data/a%2Ecsv)", "sandbox:/mnt/data/a%2Ecsv"),
        ("sandbox:/mnt/data/a.csv.gz", None),
        ("sandbox:/mnt/data/b.csv", None),
        ("sandbox:/mnt/data/" + "b" * 900, None),
        ("sandbox:/etc/passwd", None),
    ],
)
def test_links(text: str, link: str | None) -> None:
    value, found = answered(text)
    assert value == text
    assert [one.text for one in found] == ([link] if link else [])
    assert all(isinstance(one, FilePath) and one.file_path.file_id == "file-1" for one in found)


def test_a_file_written_twice_is_the_later_one() -> None:
    sources = Sources([step(searched(), **{"a.csv": "file-old"}), step(**{"a.csv": "file-new"})])
    (found,) = answered("(sandbox:/mnt/data/a.csv)", sources=sources)[1]
    assert isinstance(found, FilePath)
    assert found.file_path.file_id == "file-new"


def test_marks_and_links_come_in_the_order_of_the_text() -> None:
    found = answered("(sandbox:/mnt/data/a.csv) 【1:0†a】 (sandbox:/mnt/data/a.csv)")[1]
    assert [one.type for one in found] == ["file_path", "file_citation", "file_path"]


def test_a_mark_that_names_only_a_file_cites_the_passage_that_fits() -> None:
    other = FileSearchToolCall(
        id="call",
        file_search=FileSearchCall(
            results=[
                FileSearchResult(file_id="file-a", file_name="a.txt", score=1, content=[ResultText(text=text)])
                for text in (BIRDS, HARBOUR)
            ]
        ),
    )
    value, _ = answered("The fee is due. 【a.txt】", sources=Sources([step(other)]))
    assert value == "The fee is due. 【0:1†a.txt】"
