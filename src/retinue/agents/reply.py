"""What an agent's model replies: its schema, and how a reply is read that does not fit it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..inference.chat import Json
from ..inference.prompted.lenient import NotJson, read
from ..inference.prompted.schema import object_of
from ..wire.agents import Command as CommandCall
from ..wire.agents import Thoughts
from .commands.command import Argument, Command

#: Characters of one thought, and of one of a model that runs here: models that ramble never come to the command.
_LONGEST_THOUGHT, _LONGEST_OF_LOCAL = 600, 200
_THOUGHTS = ("text", "reasoning", "plan", "criticism", "speak")
#: Where models put the command's parts when they do not follow the format.
_NAMES, _ARGUMENTS = ("name", "command_name", "action"), ("args", "arguments", "parameters", "input")


#: What stands for an argument in the list of commands, and that small models write for it.
_PLACEHOLDER = re.compile(r"<[^\W\d_][\w -]{0,60}>")


class Unusable(ValueError):
    """A reply that says no command that could be done; the message says why, to the model."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, read."""

    thoughts: Thoughts
    command: CommandCall
    #: What was wrong with it, although it could be used.
    repaired: str | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """What a model says instead of a reply, such as that it will not do it."""

    text: str
    #: What is wrong with it.
    why: str


def schema(commands: Sequence[Command], *, local: bool = False) -> Json:
    """The JSON schema of a reply, in which each command has its own arguments. `local`: of a model that runs here."""
    longest = _LONGEST_OF_LOCAL if local else _LONGEST_THOUGHT
    thoughts = {name: {"type": "string", "maxLength": longest} for name in _THOUGHTS}
    choices = [object_of({"name": {"const": one.name}, "args": one.schema}) for one in commands]
    return object_of({"thoughts": object_of(thoughts), "command": {"anyOf": choices}})


def parse(text: str, commands: Mapping[str, Command]) -> Reply:
    """Read a reply.

    What is nearly right is put right: text around the JSON, single quotes, commas too many, brackets left open,
    thoughts that are missing or are no text, arguments with other names in the same order, numbers for texts.

    Args:
        text: what the model has written.
        commands: what it may do, by name.

    Raises:
        Unusable: there is no JSON object or known command, or an argument is missing, of another kind or a
            placeholder.
    """
    value, repaired = _object(text)
    value = _storable(value)
    thoughts = _thoughts(value.get("thoughts"))
    told = value.get("command")
    if isinstance(told, str):
        told, repaired = {"name": told}, "command is a text"
    if not isinstance(told, dict):
        raise Unusable('The reply has no "command" with "name" and "args".')
    name = next((told[key] for key in _NAMES if isinstance(told.get(key), str)), "")
    command = commands.get(name.strip()) or commands.get(name.strip().lower().replace(" ", "_").replace("-", "_"))
    if command is None:
        raise Unusable(f'There is no command "{name[:64]}". Commands are: {", ".join(commands)}.')
    given = next((told[key] for key in _ARGUMENTS if key in told), {})
    arguments, renamed = _arguments(command, given)
    return Reply(thoughts, CommandCall(name=command.name, args=arguments), repaired or renamed)


def _storable(value: Any) -> Any:
    """A value as a database takes it: no NUL in texts, no numbers over 64 bits."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {_storable(name): _storable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, int) and abs(value) >= 2**63:
        return float(value) if abs(value) <= sys.float_info.max else str(value)
    return value


def _object(text: str) -> tuple[dict[str, Any], str | None]:
    """The first JSON object in a text that is a reply, and what was wrong around it."""
    start = text.find("{")
    while start >= 0:
        try:
            value, end = read(text, start)
        except NotJson:
            value, end = None, start
        if isinstance(value, dict) and ("command" in value or "thoughts" in value):
            around = (text[:start] + text[end:]).strip()
            return value, "text around the JSON" if around else None
        start = text.find("{", start + 1)
    raise Unusable("The reply is no JSON object of the response format.")


def _thoughts(value: object) -> Thoughts:
    if not isinstance(value, dict):
        return Thoughts(text=value if isinstance(value, str) else "")
    return Thoughts(**{name: _as_text(value[name]) for name in _THOUGHTS if value.get(name) is not None})


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(f"- {_as_text(one)}" for one in value)
    return value if isinstance(value, str) else str(value)


def _arguments(command: Command, given: object) -> tuple[dict[str, Any], str | None]:
    """The arguments of a command, as its schema has them, and what had to be changed."""
    if isinstance(given, str) and len(command.arguments) == 1:
        return {command.arguments[0].name: given}, "args is a text"
    if not isinstance(given, dict):
        given = {}
    found: dict[str, Any] = {one.name: given[one.name] for one in command.arguments if one.name in given}
    others = [value for name, value in given.items() if name not in found]
    missing = [one for one in command.arguments if one.required and one.name not in found]
    renamed = None
    if missing and len(missing) == len(others):
        found |= {one.name: value for one, value in zip(missing, others, strict=True)}
        renamed, missing = "other names of arguments", []
    if missing:
        raise Unusable(f'"{command.name}" needs the arguments {", ".join(one.name for one in missing)}.')
    return {
        one.name: _fitting(command, one, found[one.name]) for one in command.arguments if one.name in found
    }, renamed


def _fitting(command: Command, argument: Argument, value: object) -> object:
    if argument.schema.get("type") != "string":
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float | list):
        raise Unusable(f'The argument {argument.name} of "{command.name}" must be a text.')
    text = _as_text(value)
    if len(text) > argument.most:
        raise Unusable(f'The argument {argument.name} of "{command.name}" is longer than {argument.most} characters.')
    if _PLACEHOLDER.fullmatch(text.strip()):
        raise Unusable(f'The argument {argument.name} of "{command.name}" is a placeholder: write it out in full.')
    return text
