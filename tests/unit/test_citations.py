"""Marks and links in answers, and what they cite."""

from __future__ import annotations

import pytest

from retinue.runs.citations import Sources
from retinue.wire.messages import FileCitation, FilePath
from retinue.wire.steps import (
    FileSearchCall,
    FileSearchResult,
    FileSearchToolCall,
    FunctionCallResult,
    FunctionToolCall,
    RunStep,
    ServedCall,
    ToolCall,
    ToolCallsDetails,
)


def searched(*files: str) -> ToolCall:
    results = [FileSearchResult(file_id=file, file_name=file, score=1) for file in files]
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
SOURCES = Sources([step(FUNCTION, searched("file-a", "file-b")), step(searched("file-c"), **{"a.csv": "file-1"})])


@pytest.mark.parametrize(
    ("mark", "file"),
    [
        ("【1:0†a.txt】", "file-a"),
        ("【1:1†whatever】", "file-b"),
        ("【2:0】", "file-c"),
        ("【0:0†a function finds nothing】", None),
        ("【1:2†x】", None),
        ("【3:0†x】", None),
        ("【999999:999†x】", None),
        ("【-1:0†x】", None),
        ("[1:0†x]", None),
        ("【1:0†x", None),
    ],
)
def test_marks(mark: str, file: str | None) -> None:
    text = f"😀 前 {mark} after"
    found = SOURCES.cited(text, 0, last=True)
    assert [one.file_citation.file_id for one in found if isinstance(one, FileCitation)] == ([file] if file else [])
    for one in found:
        assert text[one.start_index : one.end_index] == one.text == mark


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("[csv](sandbox:/mnt/data/a.csv)", "sandbox:/mnt/data/a.csv"),
        ("It is sandbox:/mnt/data/a.csv.", "sandbox:/mnt/data/a.csv"),
        ("在 sandbox:/mnt/data/a.csv。", "sandbox:/mnt/data/a.csv"),
        ("[csv](sandbox:/mnt/data/a%2Ecsv)", "sandbox:/mnt/data/a%2Ecsv"),
        ("sandbox:/mnt/data/a.csv.gz", None),
        ("sandbox:/mnt/data/b.csv", None),
        ("sandbox:/etc/passwd", None),
    ],
)
def test_links(text: str, link: str | None) -> None:
    found = SOURCES.cited(text, 0, last=True)
    assert [one.text for one in found] == ([link] if link else [])
    for one in found:
        assert isinstance(one, FilePath)
        assert one.file_path.file_id == "file-1"
        assert text[one.start_index : one.end_index] == link


def test_a_link_that_may_go_on_is_left_for_later() -> None:
    assert SOURCES.cited("sandbox:/mnt/data/a.csv", 0, last=False) == []
    assert len(SOURCES.cited("sandbox:/mnt/data/a.csv", 0, last=True)) == 1


def test_a_file_written_twice_is_the_later_one() -> None:
    sources = Sources([step(**{"a.csv": "file-old"}), step(**{"a.csv": "file-new"})])
    assert not sources
    both = Sources([step(searched(), **{"a.csv": "file-old"}), step(searched(), **{"a.csv": "file-new"})])
    (found,) = both.cited("(sandbox:/mnt/data/a.csv)", 0, last=True)
    assert isinstance(found, FilePath)
    assert found.file_path.file_id == "file-new"


def test_marks_and_links_come_in_the_order_of_the_text() -> None:
    text = "(sandbox:/mnt/data/a.csv) 【1:0†a】 (sandbox:/mnt/data/a.csv)"
    found = SOURCES.cited(text, 0, last=True)
    assert [one.type for one in found] == ["file_path", "file_citation", "file_path"]
    assert SOURCES.cited(text, found[0].end_index, last=True) == found[1:]
