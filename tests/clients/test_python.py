"""The official Python client, unmodified, in the lines that people have installed, and LangChain on top of it."""

from __future__ import annotations

import pytest

from .conftest import INSTALLED, Programs

# On first use an environment is fetched, perhaps slowly.
pytestmark = pytest.mark.timeout(900)

VERSION_2 = ["openai-1.65.5", "openai-2", INSTALLED]


def test_version_1(programs: Programs) -> None:
    programs.python("openai-1.20.0", "assistants", "assistants_v1")


@pytest.mark.parametrize("line", VERSION_2)
def test_version_2(programs: Programs, line: str) -> None:
    programs.python(line, "assistants", "assistants_v2")


@pytest.mark.parametrize("line", VERSION_2)
def test_files_and_vector_stores(programs: Programs, line: str) -> None:
    programs.python(line, "vector_stores")


def test_chat_completions_in_the_first_line(programs: Programs) -> None:
    programs.python("openai-1.20.0", "chat_completions")


@pytest.mark.parametrize("line", VERSION_2)
def test_chat_completions(programs: Programs, line: str) -> None:
    programs.python(line, "chat_completions", "chat_helpers")


def test_chat_completions_without_a_client(programs: Programs) -> None:
    programs.python("requests", "raw_http")


def test_webhooks(programs: Programs) -> None:
    programs.python(INSTALLED, "webhooks")


def test_langchain(programs: Programs) -> None:
    programs.python("langchain-classic", "langchain_assistant")


def test_langchain_chat(programs: Programs) -> None:
    programs.python("langchain-openai", "langchain_chat")
