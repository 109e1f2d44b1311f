"""The page that tells which operations are served, and how far the tests hold them to the documents, is right."""

from __future__ import annotations

from .coverage import PAGE, documented, page, served
from .operations import operations


def test_the_page_is_what_is_found() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make coverage-table`"


def test_every_operation_on_assistants_and_threads_is_served() -> None:
    assert "GET /threads/{}/runs/{}/steps" in served("v1")
    missing = [row for row in page().splitlines() if ("/assistants" in row or "/threads" in row) and "not yet" in row]
    assert missing == []


def test_no_operation_is_left_out() -> None:
    assert len(documented("v2")) == len(operations("v2")) == 78
    assert len(documented("v1")) == 28
