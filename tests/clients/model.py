"""The model that the clients' programs talk to: what it answers follows from what it is asked.

The programs run as processes of their own and cannot script each reply, so they choose it by their question.
"""

from __future__ import annotations

import json
from typing import Any

from ..scripted import Call, Reply, echo

Json = dict[str, Any]

#: Asked for its instructions, it recites what it was told as system.
INSTRUCTIONS = "What are your instructions?"
#: Asked this, it begins and does not end.
ENDLESS = "Count forever."
#: Asked this, its server refuses.
REFUSED = "Fail."
#: Asked for what begins so, it searches its files for the rest, where it can, and quotes what it finds.
SEARCH = "Search for "
#: Asked for what begins so, it runs the rest, where it can, and says what came of it.
RUN = "Run "
#: What it passes to functions, and answers where an answer must follow a schema.
ARGUMENTS = {"city": "Oslo"}


def converse(request: Json) -> Reply:
    """Say back what functions have answered; call every function about a city, once; else do as the request says."""
    messages: list[Json] = request["messages"]
    asked: str = echo(request).text
    outputs = [message["content"] for message in messages if message["role"] == "tool"]
    if messages[-1]["role"] == "tool":
        return Reply(text=", ".join(outputs))
    functions = [tool["function"] for tool in request.get("tools", ())]
    about_cities = [one["name"] for one in functions if "city" in one["parameters"]["properties"]]
    if about_cities and not outputs:
        return Reply(tool_calls=[Call(name, ARGUMENTS) for name in about_cities])
    if request.get("response_format", {}).get("type") == "json_schema":
        return Reply(text=json.dumps(ARGUMENTS))
    names = [one["name"] for one in functions]
    if asked.startswith(RUN) and "code_interpreter" in names:
        return Reply(tool_calls=[Call("code_interpreter", {"code": asked.removeprefix(RUN)})])
    if asked.startswith(SEARCH) and "file_search" in names:
        return Reply(tool_calls=[Call("file_search", {"query": asked.removeprefix(SEARCH)})])
    if asked == INSTRUCTIONS:
        return Reply(text="\n".join(message["content"] for message in messages if message["role"] == "system"))
    if asked == ENDLESS:
        return Reply(text="one two", hang=True)
    if asked == REFUSED:
        return Reply(status=400, error={"message": "The model refuses."})
    return echo(request)
