"""The text of an OpenAPI document, read as data: JSON or YAML, with limits."""

from __future__ import annotations

import math
from typing import Any, cast

import orjson
import yaml
from yaml.composer import Composer

from ...errors import InvalidRequest
from ...inference.chat import Json

#: Most bytes of a document.
MOST_BYTES = 1024 * 1024
#: Most values in a document, those that aliases repeat counted each time, and its deepest nesting.
_MOST_VALUES, _DEEPEST = 100_000, 64
#: What JSON's numbers are here: larger ones cannot be stored.
_LARGEST = 2**63


class Unusable(InvalidRequest):
    """400: the OpenAPI document cannot be used."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Invalid 'document': {message}", param="document", code="invalid_document")


def load(text: str) -> Json:
    """What an OpenAPI document says, with text for all keys.

    Args:
        text: JSON or YAML. For a large document this takes a second or two: not to be called on the event loop.

    Raises:
        Unusable: it is neither, is larger than the limits, or no object.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise Unusable(f"it is larger than {MOST_BYTES} bytes.")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _load_yaml(text)
    if not isinstance(value, dict):
        raise Unusable("it is no object.")
    return cast(Json, _plain(value, _DEEPEST))


class _Loader(Composer, yaml.CSafeLoader):
    """A safe loader that counts what aliases repeat: a few lines of them can stand for billions of values.

    libyaml parses; composing is left to Python, so that other threads get their turn.
    """

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        Composer.__init__(self)
        self._values = self._depth = 0
        self._sizes: dict[str, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node."""
        event = self.peek_event()
        before = self._values
        if isinstance(event, yaml.AliasEvent):
            # One that is not there yet stands for something around it, and so has no end.
            self._values += self._sizes.get(event.anchor, _MOST_VALUES)
        self._values += 1
        self._depth += 1
        if self._values > _MOST_VALUES or self._depth > _DEEPEST:
            raise Unusable("it has too many values, aliases counted in, or is nested too deep.")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if anchor := getattr(event, "anchor", None):
            self._sizes.setdefault(anchor, self._values - before)
        return node


# Dates and the like are text in JSON.
for _tag in ("timestamp", "binary"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _Loader.construct_yaml_str)


def _load_yaml(text: str) -> Any:
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_single_data()
    except (yaml.YAMLError, ValueError, TypeError, KeyError, RecursionError) as error:
        said = " ".join(str(error).split())[:300]
        raise Unusable(f"it is neither JSON nor YAML: {said}") from error
    finally:
        if loader:
            loader.dispose()


def _plain(value: Any, depth: int) -> Any:
    """A value as JSON has it."""
    if depth == 0:
        raise Unusable(f"it is nested deeper than {_DEEPEST} levels.")
    if isinstance(value, dict):
        return {_key(key): _plain(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(inner, depth - 1) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _LARGEST:
        return float(value) if abs(value) < 10**300 else None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key).replace("\x00", "\ufffd")
