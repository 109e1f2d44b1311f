"""LLGuidance grammars (https://github.com/guidance-ai/llguidance, docs/syntax.md) that leave a model no other way
than to call.

llama.cpp answers without any grammar when it cannot compile the one it was given, so the caller has to look at what
comes back.
"""

from __future__ import annotations

import json

from ..chat import Json
from .schema import object_of

#: The most calls in one answer.
MOST_CALLS = 16

#: JSON spaced as models were trained on it; free white space would let a model write blanks for ever.
_SPACING = {"whitespace_flexible": False, "key_separator": ": ", "item_separator": ", "}

#: Words: an answer that does not begin as a call does.
WORDS = "%llguidance {}\nstart: /[^\\s<`{\\[](.|\\n)*/\n"


def calls(functions: dict[str, Json], *, parallel: bool) -> str:
    """The grammar of one call, or if `parallel` of up to 16 calls, each in a `<tool_call>` block.

    Args:
        functions: the names of the functions, each with the schema of its arguments.
        parallel: whether several calls are allowed.
    """
    choices = [object_of({"name": {"const": name}, "arguments": arguments}) for name, arguments in functions.items()]
    schema = json.dumps({"anyOf": choices, "x-guidance": _SPACING}, ensure_ascii=False)
    more = f' ("\\n" call){{0,{MOST_CALLS - 1}}}' if parallel else ""
    block = r'call: "<tool_call>\n" object "\n</tool_call>"'
    return f"%llguidance {{}}\nstart: call{more}\n{block}\nobject: %json {schema}\n"
