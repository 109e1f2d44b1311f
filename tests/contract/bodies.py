"""What the walker sends: for every operation that takes a body, the least one and such as hold every documented field.

A text ``$name`` stands for the id of an object that the walker has made: see `walker.Objects`.
"""

from __future__ import annotations

from typing import Any

from .spec import Json, Version

METADATA: Json = {"colour": "blue"}
LOOK: Json = {
    "name": "look",
    "description": "Looks somewhere.",
    "parameters": {"type": "object", "properties": {"at": {"type": "string"}}},
}
FUNCTION_V1: Json = {"type": "function", "function": LOOK}
FUNCTION: Json = {"type": "function", "function": {**LOOK, "strict": False}}
CODE: Json = {"type": "code_interpreter"}
RETRIEVAL: Json = {"type": "retrieval"}
SEARCH: Json = {
    "type": "file_search",
    "file_search": {"max_num_results": 5, "ranking_options": {"ranker": "auto", "score_threshold": 0.5}},
}
FORMATS: list[Any] = [
    "auto",
    {"type": "text"},
    {"type": "json_object"},
    {
        "type": "json_schema",
        "json_schema": {"name": "answer", "description": "An answer.", "schema": {"type": "object"}, "strict": False},
    },
]
RESOURCES: Json = {
    "code_interpreter": {"file_ids": ["$file"]},
    "file_search": {"vector_store_ids": ["$vector_store"]},
}


def _store(chunking: Json) -> Json:
    store = {"file_ids": ["$file"], "chunking_strategy": chunking, "metadata": METADATA}
    return {"file_search": {"vector_stores": [store]}}


STATIC_CHUNKS: Json = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}}
NEW_STORES = [_store({"type": "auto"}), _store(STATIC_CHUNKS)]

MESSAGE: Json = {"role": "user", "content": "Hello"}
MESSAGES_V2: list[Json] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
            {"type": "image_file", "image_file": {"file_id": "$image", "detail": "high"}},
        ],
        "attachments": [{"file_id": "$file", "tools": [CODE, {"type": "file_search"}]}],
        "metadata": METADATA,
    },
    {"role": "assistant", "content": "It is a cat.", "attachments": None, "metadata": None},
]
MESSAGES_V1: list[Json] = [{"role": "user", "content": "Hello", "file_ids": ["$file"], "metadata": METADATA}]

SETTINGS: Json = {"temperature": 0.5, "top_p": 0.9, "metadata": METADATA}
ASSISTANT_V2: Json = {
    "name": "Tutor",
    "description": "Teaches.",
    "instructions": "Teach.",
    "tools": [CODE, SEARCH, FUNCTION],
    "tool_resources": RESOURCES,
    "reasoning_effort": "low",
    **SETTINGS,
}
ASSISTANT_V1: Json = {
    "name": "Tutor",
    "description": "Teaches.",
    "instructions": "Teach.",
    "tools": [CODE, RETRIEVAL, FUNCTION_V1],
    "file_ids": ["$file"],
    "response_format": {"type": "text"},
    **SETTINGS,
}
LIMITS: Json = {"max_prompt_tokens": 2000, "max_completion_tokens": 500}
RUN_V1: Json = {
    "assistant_id": "$assistant",
    "model": "scripted",
    "instructions": "Be brief.",
    "tools": [CODE, RETRIEVAL, FUNCTION_V1],
    "stream": False,
    "truncation_strategy": {"type": "last_messages", "last_messages": 5},
    "tool_choice": "auto",
    "response_format": {"type": "json_object"},
    **LIMITS,
    **SETTINGS,
}
RUN_V2: Json = {
    **RUN_V1,
    "tools": [CODE, SEARCH, FUNCTION],
    "parallel_tool_calls": False,
    "response_format": FORMATS[3],
}
CHOICES_V1: list[Any] = ["none", {"type": "function", "function": {"name": "look"}}]
CHOICES_V2: list[Any] = [*CHOICES_V1, "required"]
OUTPUTS: Json = {"tool_outputs": [{"tool_call_id": "$call", "output": "the moon"}]}
ON_THREAD_V1: Json = {"additional_instructions": "Hurry.", "additional_messages": [*MESSAGES_V1, MESSAGE]}
ON_THREAD_V2: Json = {
    "reasoning_effort": "high",
    "additional_instructions": "Hurry.",
    "additional_messages": [*MESSAGES_V2, MESSAGE],
}
THREADS_V2: list[Json] = [
    {"messages": MESSAGES_V2, "tool_resources": RESOURCES, "metadata": METADATA},
    *({"tool_resources": resources} for resources in NEW_STORES),
]
THREADS_V1: list[Json] = [{"messages": MESSAGES_V1, "metadata": METADATA}]


def _runs(full: Json, choices: list[Any]) -> list[Json]:
    variants = [{"tool_choice": choice, "tools": [FUNCTION_V1]} for choice in choices]
    variants += [{"truncation_strategy": {"type": "auto", "last_messages": None}}]
    return [{"assistant_id": "$assistant"}, full, *({"assistant_id": "$assistant", **one} for one in variants)]


_ASSISTANTS_V2 = [
    ASSISTANT_V2,
    *({"tools": [SEARCH], "tool_resources": resources} for resources in NEW_STORES),
    *({"response_format": format} for format in FORMATS),
]

#: By operation: bodies that must be taken, the least one first.
BODIES: dict[Version, dict[str, list[Json]]] = {
    "v2": {
        "POST /assistants": [{"model": "scripted"}, *({"model": "scripted", **one} for one in _ASSISTANTS_V2)],
        "POST /assistants/{assistant_id}": [
            {},
            {"model": "scripted", **ASSISTANT_V2},
            *({"response_format": format} for format in FORMATS),
        ],
        "POST /threads": [{}, *THREADS_V2],
        "POST /threads/{thread_id}": [{}, {"tool_resources": RESOURCES, "metadata": METADATA}],
        "POST /threads/{thread_id}/messages": [MESSAGE, *MESSAGES_V2],
        "POST /threads/{thread_id}/messages/{message_id}": [{}, {"metadata": METADATA}],
        "POST /threads/{thread_id}/runs": _runs({**RUN_V2, **ON_THREAD_V2}, CHOICES_V2),
        "POST /threads/{thread_id}/runs/{run_id}": [{}, {"metadata": METADATA}],
        "POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs": [OUTPUTS, {**OUTPUTS, "stream": False}],
        "POST /threads/runs": [
            *_runs({**RUN_V2, "thread": THREADS_V2[0], "tool_resources": RESOURCES}, CHOICES_V2),
            *({"assistant_id": "$assistant", "thread": thread} for thread in THREADS_V2[1:]),
        ],
    },
    "v1": {
        "POST /assistants": [{"model": "scripted"}, {"model": "scripted", **ASSISTANT_V1}],
        "POST /assistants/{assistant_id}": [{}, {"model": "scripted", **ASSISTANT_V1}],
        "POST /assistants/{assistant_id}/files": [{"file_id": "$image"}],
        "POST /threads": [{}, *THREADS_V1],
        "POST /threads/{thread_id}": [{}, {"metadata": METADATA}],
        "POST /threads/{thread_id}/messages": [MESSAGE, *MESSAGES_V1],
        "POST /threads/{thread_id}/messages/{message_id}": [{}, {"metadata": METADATA}],
        "POST /threads/{thread_id}/runs": _runs({**RUN_V1, **ON_THREAD_V1}, CHOICES_V1),
        "POST /threads/{thread_id}/runs/{run_id}": [{}, {"metadata": METADATA}],
        "POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs": [OUTPUTS, {**OUTPUTS, "stream": False}],
        "POST /threads/runs": _runs({**RUN_V1, "thread": THREADS_V1[0]}, CHOICES_V1),
    },
}

#: By query parameter: what must be taken, and what must be refused. ``$first`` is an object of the list; a dict
#: is the whole query. Where operations differ, the operation stands before the parameter.
QUERIES: dict[str, tuple[list[Any], list[str]]] = {
    "metadata": ([{"metadata[colour]": "blue"}], []),
    "model": (["scripted", "no_such_model"], [""]),
    "limit": (["1", "100"], ["0", "101", "-1", "many", "1.5", ""]),
    "GET /files limit": (["1", "10000"], ["0", "10001", "-1", "many", "1.5", ""]),
    "purpose": (["assistants", "no_such_purpose"], []),
    "filter": (["in_progress", "completed", "failed", "cancelled"], ["lost", ""]),
    "order": (["asc", "desc"], ["up", ""]),
    "after": (["$first"], ["no_such_id"]),
    "before": (["$first"], ["no_such_id"]),
    "run_id": (["$run", "no_such_run"], []),
    "include[]": (["step_details.tool_calls[*].file_search.results[*].content"], ["everything"]),
}
