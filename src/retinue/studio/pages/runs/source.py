"""A run as a program: the same thread and the same run once more, in Python, in JavaScript for Node, and in curl."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

Json = dict[str, Any]

#: What programs are written in: how Markdown names it, and what people call it.
LANGUAGES: Mapping[str, str] = {"python": "Python", "javascript": "Node.js", "bash": "curl"}
#: Messages that a program begins with, at most.
MOST_MESSAGES = 50
#: Characters of a line of Python, where it can be broken.
_WIDTH = 90
#: What a run takes unless it is told otherwise.
_USUAL: Mapping[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "max_prompt_tokens": None,
    "max_completion_tokens": None,
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "response_format": "auto",
    "metadata": {},
}


def request_of(run: Json, *, whole: bool) -> Json:
    """What asks for such a run: the parameters of `threads.runs.create`.

    Args:
        run: as the API has it.
        whole: whether instructions and tools are known; else they are left to the assistant.
    """
    asked: Json = {"assistant_id": run["assistant_id"], "model": run["model"]}
    if whole:
        asked["instructions"] = run["instructions"]
        asked["tools"] = run["tools"]
    asked |= {name: run[name] for name, usual in _USUAL.items() if run.get(name, usual) != usual}
    if run["truncation_strategy"]["type"] != "auto":
        asked["truncation_strategy"] = run["truncation_strategy"]
    return asked


def message_of(message: Json) -> Json:
    """What asks for such a message."""
    parts = [_part(part) for part in message["content"]]
    only_text = len(parts) == 1 and parts[0]["type"] == "text" and parts[0]["text"]
    asked: Json = {"role": message["role"], "content": parts[0]["text"] if only_text else parts}
    if message.get("attachments"):
        asked["attachments"] = message["attachments"]
    return asked


def _part(part: Json) -> Json:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]["value"]}
    return {"type": "text", "text": part["refusal"]} if part["type"] == "refusal" else part


def outputs_of(steps: Sequence[Json]) -> dict[str, str]:
    """What the functions answered that the run's client had to call, by their name; of several calls the last."""
    return {
        call["function"]["name"]: call["function"]["output"] or ""
        for step in steps
        for call in step["step_details"].get("tool_calls", ())
        if call["type"] == "function"
    }


def program(language: str, base_url: str, request: Json, messages: Sequence[Json], outputs: Mapping[str, str]) -> str:
    """A program that asks for the run and prints the answer.

    Args:
        language: one of `LANGUAGES`.
        base_url: of the API, ending in ``/v1``.
        request: see `request_of`.
        messages: those that the thread begins with, as `message_of` makes them.
        outputs: what functions answer that the program has to call.
    """
    thread = {"messages": list(messages)}
    if language == "python":
        return _python(base_url, request, thread, outputs)
    if language == "javascript":
        return _javascript(base_url, request, thread, outputs)
    return _curl(base_url, {**request, "thread": thread, "stream": True})


def _python(base_url: str, request: Json, thread: Json, outputs: Mapping[str, str]) -> str:
    lines = [
        "# pip install openai",
        f"# export OPENAI_BASE_URL={base_url} OPENAI_API_KEY=sk-retinue-...",
        "from openai import OpenAI",
        "",
        "client = OpenAI()",
        f"thread = client.beta.threads.create(messages={_literal(thread['messages'], 0)})",
        "run = client.beta.threads.runs.create_and_poll(",
        "    thread_id=thread.id,",
        *(f"    {name}={_literal(value, 4)}," for name, value in request.items()),
        ")",
    ]
    if outputs:
        lines += [
            f"answers = {_literal(dict(outputs), 0)}",
            'while run.status == "requires_action":',
            "    calls = run.required_action.submit_tool_outputs.tool_calls",
            "    run = client.beta.threads.runs.submit_tool_outputs_and_poll(",
            "        run_id=run.id,",
            "        thread_id=thread.id,",
            "        tool_outputs=[",
            '            {"tool_call_id": call.id, "output": answers.get(call.function.name, "")} for call in calls',
            "        ],",
            "    )",
        ]
    lines += [
        'if run.status == "completed":',
        "    print(client.beta.threads.messages.list(thread.id).data[0].content[-1].text.value)",
        "else:",
        "    print(run.status, run.last_error)",
    ]
    return "\n".join(lines) + "\n"


def _literal(value: Any, indent: int) -> str:
    """A value of JSON as Python writes it, in one line where it is short."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if not value or not isinstance(value, dict | list):
        return repr(value)
    inner, end = " " * (indent + 4), " " * indent
    if isinstance(value, list):
        items = [_literal(one, indent + 4) for one in cast(list[Any], value)]
        opening, closing = "[", "]"
    else:
        pairs = cast(Json, value).items()
        items = [f"{_literal(name, 0)}: {_literal(one, indent + 4)}" for name, one in pairs]
        opening, closing = "{", "}"
    short = opening + ", ".join(items) + closing
    if len(short) + indent <= _WIDTH and "\n" not in short:
        return short
    return f"{opening}\n{inner}" + f",\n{inner}".join(items) + f",\n{end}{closing}"


def _javascript(base_url: str, request: Json, thread: Json, outputs: Mapping[str, str]) -> str:
    lines = [
        "// npm install openai",
        f"// export OPENAI_BASE_URL={base_url} OPENAI_API_KEY=sk-retinue-...",
        'import OpenAI from "openai";',
        "",
        "const client = new OpenAI();",
        f"const thread = await client.beta.threads.create({_json(thread)});",
        f"let run = await client.beta.threads.runs.createAndPoll(thread.id, {_json(request)});",
    ]
    if outputs:
        lines += [
            f"const answers = {_json(dict(outputs))};",
            'while (run.status === "requires_action") {',
            "  const calls = run.required_action.submit_tool_outputs.tool_calls;",
            "  run = await client.beta.threads.runs.submitToolOutputsAndPoll(run.id, {",
            "    thread_id: thread.id,",
            "    tool_outputs: calls.map((call) => ({",
            "      tool_call_id: call.id,",
            '      output: answers[call.function.name] ?? "",',
            "    })),",
            "  });",
            "}",
        ]
    lines += [
        'if (run.status === "completed") {',
        "  const messages = await client.beta.threads.messages.list(thread.id);",
        "  console.log(messages.data[0].content.at(-1).text.value);",
        "} else {",
        "  console.log(run.status, run.last_error);",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _curl(base_url: str, request: Json) -> str:
    return (
        f"export OPENAI_BASE_URL={base_url} OPENAI_API_KEY=sk-retinue-...\n\n"
        'curl -N "$OPENAI_BASE_URL/threads/runs" \\\n'
        '  -H "Authorization: Bearer $OPENAI_API_KEY" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        '  -H "OpenAI-Beta: assistants=v2" \\\n'
        f"  --data-binary @- <<'JSON'\n{_json(request)}\nJSON\n"
    )


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
