"""Attributes of files as people write them: `key: value`, one on a line."""

from __future__ import annotations

from collections.abc import Mapping

Value = str | bool | int | float


class BadLine(ValueError):
    """A line is not `key: value`; it is the argument."""


def read(text: str) -> dict[str, Value]:
    """The attributes in a text. Values that look like numbers, or are true or false, are that.

    Raises:
        BadLine: a line has no key or no colon.
    """
    found: dict[str, Value] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        key, colon, value = line.replace("：", ":", 1).partition(":")
        if not colon or not key.strip():
            raise BadLine(line)
        found[key.strip()] = scalar(value.strip())
    return found


def scalar(text: str) -> Value:
    """A value; in double quotes it is a text whatever it looks like."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text) if text.lstrip("-").isdigit() and text.isascii() else _number(text)
    except ValueError:
        return text


def _number(text: str) -> float:
    if not text or text[-1] not in "0123456789." or any(one not in "0123456789.-+eE" for one in text):
        raise ValueError(text)
    return float(text)


def written(attributes: Mapping[str, Value] | None) -> str:
    """Attributes as `read` reads them."""
    return "\n".join(f"{key}: {_plain(value)}" for key, value in (attributes or {}).items())


def sent(attributes: Mapping[str, Value] | None) -> dict[str, Value]:
    """Attributes of the client's, as they were: it makes all numbers floats."""
    return {key: _whole(value) for key, value in (attributes or {}).items()}


def _whole(value: Value) -> Value:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _plain(value: Value) -> str:
    value = _whole(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if scalar(value) == value and value == value.strip() else f'"{value}"'
    return str(value)
