"""Python in calls: written as a code block, or in a JSON string.

Models write code best in a code block. In JSON small ones forget to escape, repeat themselves, and write worse code.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from textwrap import dedent
from typing import Any, cast

from ..chat import Json

#: How a JSON schema says, as `contentMediaType`, that a string is Python.
MEDIA_TYPE = "text/x-python"

#: Characters of code that is looked at; parsing more would hold up others.
_LONGEST = 20_000
#: Comments and strings, strings in single quotes also with line breaks, which no Python has there.
_PIECE = re.compile(
    r"""
    \#[^\n]*
    | \"{3} (?:\\.|[^\\])*? \"{3} | '{3} (?:\\.|[^\\])*? '{3}
    | " (?:\\.|[^"\\])* " | ' (?:\\.|[^'\\])* '
    """,
    re.DOTALL | re.VERBOSE,
)
#: A code block from its first line on, and what follows it.
_BLOCK = re.compile(r"```[^\n]*\n(?P<code>.*?)(?:(?<=\n)[ \t]*```(?P<after>.*))?\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Runner:
    """A function whose one argument is Python.

    Attributes:
        name: of the function.
        parameter: the name of its argument.
        description: of the function.
    """

    name: str
    parameter: str
    description: str

    def arguments(self, block: str) -> str:
        """The arguments that a code block stands for, as JSON text, whether or not the block is closed; "" for none."""
        found = _BLOCK.match(block)
        code = dedent(found["code"]).strip("\n") if found else ""
        return json.dumps({self.parameter: code}, ensure_ascii=False) if code.strip() else ""

    def block(self, arguments: str) -> str:
        """The code block for arguments; "" if they are none of this function's."""
        try:
            code = json.loads(arguments)[self.parameter]
        except (ValueError, RecursionError, LookupError, TypeError):
            return ""
        return f"```python\n{code}\n```"


def runner(tools: list[Json]) -> Runner | None:
    """The first of these functions whose one argument is Python."""
    for tool in tools:
        function = tool["function"]
        parameters: Any = function.get("parameters")
        properties: Any = parameters.get("properties") if isinstance(parameters, dict) else None
        if isinstance(properties, dict) and len(cast(Json, properties)) == 1:
            ((name, schema),) = cast(Json, properties).items()
            if isinstance(schema, dict) and cast(Json, schema).get("contentMediaType") == MEDIA_TYPE:
                return Runner(function["name"], name, function.get("description") or "")
    return None


def code_in(answer: str) -> str:
    """The code of an answer's first code block, whether or not that is closed; all of it where there is none."""
    found = _BLOCK.match(answer, max(0, answer.find("```")))
    return dedent(found["code"]).strip("\n") if found else answer.strip()


def goes_on(block: str) -> bool:
    """Whether something other than blanks follows a code block."""
    found = _BLOCK.match(block)
    return bool(found and (found["after"] or "").strip())


def mended(code: str) -> str:
    r"""The code, with a `\n` in strings where it has line breaks there, if that makes Python of it.

    In a JSON string, the ``\n`` of ``print("a\n")`` has to be written ``\\n``. Small models write ``\n``, which is a
    line break in the middle of a string.
    """
    if len(code) > _LONGEST or _is_python(code):
        return code
    mended = _PIECE.sub(_unbroken, code)
    return mended if _is_python(mended) else code


def _is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _unbroken(piece: re.Match[str]) -> str:
    text = piece[0]
    # A break behind a backslash is one that Python has.
    return text if text.startswith(("#", '"""', "'''")) else re.sub(r"(\\\n)|\n", lambda end: end[1] or "\\n", text)
