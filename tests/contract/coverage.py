"""The table of coverage in the documentation: every operation of the official documents, and how it stands.

``python -m tests.contract.coverage`` writes it; `test_coverage.py` holds the page to what is found.
"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import gettempdir

from fastapi import FastAPI

from retinue.api import v1
from retinue.api.app import create_app
from retinue.settings import Settings

from .operations import Operation, operations
from .spec import Version
from .test_operations import VERSIONS, WALKED

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"

_HEAD = """# Coverage of the official API

Every operation of OpenAI's two official documents: the one of version 2 of the Assistants API and of all other
APIs (2026-08-21), and the assistants and threads of the last one with version 1 (2024-04-15). This page is written
by `make coverage-table`, and a test fails where it differs from what the server does.

- *served*: the server has a route for it.
- *validated*: a test sends it the least request, every documented field and parameter, every value that the document
  rules out and ids of others, and holds each answer and each streamed event to the document. What is inside fields
  that only a model's server understands (sound, search, moderation in chat requests) is left to that server.

"""


def served(version: Version) -> set[str]:
    """Method and path, without the names of parameters, of every route of this version."""
    if version == "v1":
        app = FastAPI()
        app.include_router(v1.router)
    else:
        app = create_app(Settings(data=Path(gettempdir())), conninfo="")
    return {
        _nameless(f"{method.upper()} {path.removeprefix('/v1')}")
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }


def _nameless(operation: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", operation)


def documented(version: Version) -> list[Operation]:
    """The operations of a document that this version tells apart: version 1 differs in assistants and threads only."""
    found = operations(version).values()
    return [one for one in found if version == "v2" or one.path.startswith(("/assistants", "/threads"))]


def page() -> str:
    """The whole page."""
    lines: list[str] = []
    for version in VERSIONS[::-1]:
        routes = served(version)
        rows: list[str] = []
        for operation in documented(version):
            is_served = _nameless(operation.name) in routes
            marks = ["yes" if is_served else "not yet", "yes" if is_served and operation in WALKED else "not yet"]
            rows.append(f"| `{operation.name}` | {version} | {' | '.join(marks)} |")
        count = sum("| yes | " in row for row in rows)
        both = sum("| yes | yes |" in row for row in rows)
        lines += [f"## {'Version 1' if version == 'v1' else 'Version 2, and all other APIs'}", ""]
        lines += [f"{len(rows)} operations: {count} served, {both} validated.", ""]
        lines += ["| operation | version | served | validated |", "|---|---|---|---|", *rows, ""]
    return _HEAD + "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
