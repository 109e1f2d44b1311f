"""The settings in force, told to administrators: what each means, what it is, and who says so. No secrets."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, cast

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from .settings import Settings

#: What stands in tables that may hold secrets is told by its names only: keys of models, arguments of programs.
_NAMES_ONLY = ("models", "mcp_commands")
_LINE = re.compile(r" {4}(?:# --- (?P<group>.+)|#: (?P<comment>.+)|(?P<name>[a-z_]+): .*)")


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting: see `wire.configured_models.Setting`."""

    id: str
    group: str
    description: str
    environment: str
    value: str | None
    default: str | None
    source: Literal["argument", "environment", "file", "default"]
    secret: bool
    set: bool


def shown(settings: Settings, in_file: Collection[str]) -> Iterator[ShownSetting]:
    """Every setting, in the order of `Settings`.

    Args:
        settings: those in force.
        in_file: the names that the settings file gives.
    """
    told = _told()
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        default = field.get_default(call_default_factory=True, validated_data={})
        default = None if default is PydanticUndefined else default
        secret = "SecretStr" in str(field.annotation)
        names = _environment(name, field)
        group, description = told.get(name, ("", ""))
        yield ShownSetting(
            id=name,
            group=group,
            description=description,
            environment=" or ".join(names),
            value=None if secret else _text(name, value),
            default=None if secret else _text(name, default),
            source=_source(name, names, in_file, changed=value != default),
            secret=secret,
            set=value is not None,
        )


def _source(
    name: str, names: list[str], in_file: Collection[str], *, changed: bool
) -> Literal["argument", "environment", "file", "default"]:
    """Where a value comes from; arguments of the command line come before all else, and are known by that only."""
    if any(one in os.environ for one in names):
        return "environment"
    if name in in_file:
        return "file"
    return "argument" if changed else "default"


def _environment(name: str, field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str) and choice.isupper()]
    return [f"RETINUE_{name.upper()}"]


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if name in _NAMES_ONLY:
        return ", ".join(cast(Mapping[str, Any], value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        pairs = cast(dict[str, Any], value).items()
        return ", ".join(f"{key} = {inner}" for key, inner in pairs)
    if isinstance(value, list):
        return ", ".join(map(str, cast(list[Any], value)))
    # New kinds of settings do not tell what they should not.
    assert not isinstance(value, SecretStr | BaseModel), name  # noqa: S101
    return str(value)


@cache
def _told() -> Mapping[str, tuple[str, str]]:
    """The group and the meaning of each setting, as the comments of `Settings` say: they come with the program."""
    try:
        lines = inspect.getsource(Settings).splitlines()
    except OSError:
        return {}
    told: dict[str, tuple[str, str]] = {}
    group, comment, open_comment = "", "", False
    for line in lines:
        if (found := _LINE.fullmatch(line)) is None:
            open_comment = False
        elif found["group"]:
            group = found["group"][0].upper() + found["group"][1:]
        elif found["comment"]:
            comment = f"{comment} {found['comment']}" if open_comment else found["comment"]
            open_comment = True
        else:
            told[found["name"]] = group, comment.replace("`", "")
            open_comment = False
    return told
