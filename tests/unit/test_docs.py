"""The documentation is complete: every route, setting, command, stream event and error code stands in it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from fastapi.openapi.utils import get_openapi
from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from retinue import errors, settings
from retinue.model_settings import ModelSettings
from retinue.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "retinue"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def marked(text: str) -> set[str]:
    """Everything that `text` sets in backticks."""
    return set(re.findall(r"`([^`\n]+)`", text))


def table_rows(text: str) -> list[list[str]]:
    """The cells of every table row of `text` whose first cell is set in backticks."""
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        for line in text.splitlines()
        if line.startswith("| `")
    ]


# --- settings


@pytest.fixture
def plain_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Default folders as they are where nothing moves them."""
    monkeypatch.setenv("HOME", "/home/you")
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


def shown_default(field: FieldInfo) -> str:
    """A default as docs/settings.md writes it."""
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "unset"
    if isinstance(default, dict) and not default:
        return "empty"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{str(default).replace('/home/you', '~')}`"


def environment_names(name: str, field: FieldInfo) -> str:
    """The environment cell of a setting's row."""
    names = [f"RETINUE_{name.upper()}"]
    if isinstance(field.validation_alias, AliasChoices):
        names = [choice for choice in field.validation_alias.choices if isinstance(choice, str) and choice.isupper()]
    return " or ".join(f"`{name}`" for name in names)


def documented_settings(model: type[BaseModel], rows: list[list[str]]) -> None:
    assert [row[0] for row in rows] == [f"`{name}`" for name in model.model_fields]
    assert all(row[-1] for row in rows)


@pytest.mark.usefixtures("plain_home")
def test_settings():
    rows = table_rows(page("settings.md").split("\n## A model\n")[0])
    documented_settings(Settings, rows)
    expected = [
        [f"`{name}`", environment_names(name, field), shown_default(field)]
        for name, field in Settings.model_fields.items()
    ]
    assert [row[:3] for row in rows] == expected


def test_settings_are_explained_in_chinese_too():
    from retinue.settings_shown import shown
    from retinue.studio.words.meanings import GROUPS, MEANINGS

    assert set(Settings.model_fields) == set(MEANINGS)
    assert {one.group for one in shown(Settings(), ())} == set(GROUPS)


def test_model_settings():
    rows = table_rows(page("settings.md").split("\n## A model\n")[1])
    documented_settings(ModelSettings, rows)
    expected = [[f"`{name}`", shown_default(field)] for name, field in ModelSettings.model_fields.items()]
    assert [row[:2] for row in rows] == expected


def test_settings_that_a_setting_page_mentions_exist():
    names = {f"RETINUE_{name.upper()}" for name in Settings.model_fields} | {"RETINUE_CONFIG"}
    assert "RETINUE_CONFIG" in Path(settings.__file__).read_text(encoding="utf-8")
    for path in DOCS.rglob("*.md"):
        assert set(re.findall(r"RETINUE_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8"))) <= names, path


# --- routes


def routes(data: Path) -> Iterator[str]:
    """`METHOD /path` of every route of the API, as OpenAPI documents have them."""
    from retinue.api import v1
    from retinue.api.app import create_app

    documents = [
        create_app(Settings(data=data), conninfo="").openapi(),
        get_openapi(title="version 1", version="1", routes=v1.router.routes),
    ]
    for document in documents:
        for path, operations in document["paths"].items():
            for method in operations:
                yield f"{method.upper()} {path}"


def test_routes(tmp_path: Path):
    found = set(routes(tmp_path))
    assert "POST /v1/threads/{thread_id}/runs" in found
    documented = marked(page("api.md"))
    assert found - documented == set()
    # A documented route exists too; those that the OpenAPI document leaves out are not promised here.
    promised = {text for text in documented if re.match(r"(GET|POST|PUT|PATCH|DELETE) /v1/", text)}
    assert promised - found == set()


# --- the command line


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command under `command` that does something itself, with its full name."""
    below = getattr(command, "commands", {})
    for name, child in below.items():
        yield from commands(child, f"{path} {name}")
    if not below:
        yield path, command


def test_commands_and_their_options():
    from retinue.cli import app

    text = page("cli.md")
    found = dict(commands(typer.main.get_command(app), "retinue"))
    assert "retinue serve" in found
    for name, command in found.items():
        section = re.search(rf"^#+ `{re.escape(name)}[^\n]*`\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
        assert section, f"docs/cli.md has no heading `{name}`"
        for parameter in command.params:
            shown = [option for option in parameter.opts if option.startswith("--") and option != "--help"]
            for option in shown:
                assert option in section[1], f"docs/cli.md does not tell of {option} under `{name}`"


# --- events and errors


def test_events():
    from retinue.wire.events import EVENT_NAMES

    rows = table_rows(page("events.md"))
    assert [row[0] for row in rows] == [f"`{name}`" for name in EVENT_NAMES]
    assert all(len(row) == 3 and all(row) for row in rows)


def error_codes() -> Iterator[tuple[str, Path]]:
    """Every code that an error is raised with: the constants given as `code` or `run_code` in calls."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for keyword in node.keywords if isinstance(node, ast.Call) else ():
                value = keyword.value
                if keyword.arg not in ("code", "run_code") or not isinstance(value, ast.Constant):
                    continue
                if isinstance(value.value, str):
                    yield value.value, path.relative_to(ROOT)


def test_error_codes():
    found = dict(error_codes())
    assert "model_not_found" in found
    documented = marked(page("errors.md"))
    assert {code: path for code, path in found.items() if code not in documented} == {}


def test_error_statuses_and_types():
    documented = marked(page("errors.md"))
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.ApiError):
            assert {str(kind.status), kind.type} <= documented, f"docs/errors.md does not tell of {name}"
