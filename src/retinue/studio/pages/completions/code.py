"""A chat request as a program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from .request import PARAMETERS

LANGUAGES = {"python": "Python", "node": "Node.js", "curl": "curl"}
#: What highlights them.
HIGHLIGHTED = {"python": "python", "node": "javascript", "curl": "bash"}
#: What the official clients have arguments for.
_KNOWN = {"model", "messages", *(one.name for one in PARAMETERS)}


def code(language: str, body: Mapping[str, Any], base_url: str) -> str:
    """A program that sends a request and prints the answer as it comes.

    Args:
        language: one of `LANGUAGES`.
        body: as `request.body` makes it.
        base_url: of the API, ending in ``/v1``. The key comes from the environment.
    """
    return {"python": _python, "node": _node, "curl": _curl}[language](body, base_url)


def _python(body: Mapping[str, Any], base_url: str) -> str:
    known = {name: value for name, value in body.items() if name in _KNOWN}
    other = {name: value for name, value in body.items() if name not in _KNOWN}
    known |= {"stream": True, "stream_options": {"include_usage": True}}
    if other:
        known["extra_body"] = other
    arguments = "".join(f"    {name}={_literal(value, 1)},\n" for name, value in known.items())
    calls = (
        "        for call in choice.delta.tool_calls or []:\n"
        '            print(call.function.name or "", call.function.arguments or "", end="", flush=True)\n'
    )
    return (
        "from openai import OpenAI\n\n"
        f"client = OpenAI(base_url={_literal(base_url, 0)})  # the key is in OPENAI_API_KEY\n"
        f"stream = client.chat.completions.create(\n{arguments})\n"
        "for chunk in stream:\n"
        "    for choice in chunk.choices:\n"
        '        print(choice.delta.content or "", end="", flush=True)\n'
        f"{calls if 'tools' in body else ''}"
        "    if chunk.usage:\n"
        '        print(f"\\n{chunk.usage.total_tokens} tokens")\n'
    )


def _literal(value: Any, depth: int) -> str:
    """A value as Python writes it: short ones in a line, long ones in several."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list):
        return repr(value)
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value)
        items = [f"{_literal(name, 0)}: {_literal(one, depth + 1)}" for name, one in pairs.items()]
        begin, end = "{", "}"
    else:
        items = [_literal(one, depth + 1) for one in cast("list[Any]", value)]
        begin, end = "[", "]"
    line = begin + ", ".join(items) + end
    if len(line) + 4 * depth < 90 and "\n" not in line:
        return line
    inner, outer = "    " * (depth + 1), "    " * depth
    return f"{begin}\n" + "".join(f"{inner}{item},\n" for item in items) + outer + end


def _streamed(body: Mapping[str, Any]) -> dict[str, Any]:
    return {**body, "stream": True, "stream_options": {"include_usage": True}}


def _node(body: Mapping[str, Any], base_url: str) -> str:
    calls = (
        "    for (const call of choice.delta.tool_calls ?? []) {\n"
        '      process.stdout.write(`${call.function.name ?? ""} ${call.function.arguments ?? ""}`);\n    }\n'
    )
    return (
        'import OpenAI from "openai";\n\n'
        f"const client = new OpenAI({{ baseURL: {json.dumps(base_url)} }}); // the key is in OPENAI_API_KEY\n"
        f"const stream = await client.chat.completions.create({_json(_streamed(body))});\n"
        "for await (const chunk of stream) {\n"
        "  for (const choice of chunk.choices) {\n"
        '    process.stdout.write(choice.delta.content ?? "");\n'
        f"{calls if 'tools' in body else ''}"
        "  }\n"
        "  if (chunk.usage) console.log(`\\n${chunk.usage.total_tokens} tokens`);\n"
        "}\n"
    )


def _curl(body: Mapping[str, Any], base_url: str) -> str:
    quoted = _json(_streamed(body)).replace("'", "'\\''")
    return (
        f"curl -N {base_url}/chat/completions \\\n"
        '  -H "Authorization: Bearer $OPENAI_API_KEY" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{quoted}'\n"
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
