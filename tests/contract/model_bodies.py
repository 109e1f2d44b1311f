"""What the walker sends to the endpoints that are calls of models: see `bodies.py`."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from tests.image_upstream import mask, picture

from .bodies import FORMATS, FUNCTION, LOOK, METADATA
from .spec import Json

PICTURE = "data:image/png;base64," + b64encode(picture()).decode()
MASK = "data:image/png;base64," + b64encode(mask()).decode()
BREAKPOINT: Json = {"prompt_cache_breakpoint": {"mode": "explicit"}}
PLAIN: Json = {"type": "text", "text": "What is this?"}
TEXT: Json = {**PLAIN, **BREAKPOINT}
CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CUSTOM_CALL: Json = {"id": "call_2", "type": "custom", "custom": {"name": "search", "input": "the moon"}}

#: At most three messages each: the walker breaks no more of a list.
CONVERSATIONS: list[list[Json]] = [
    [
        {"role": "developer", "content": "Be brief.", "name": "Boss"},
        {"role": "system", "content": [PLAIN]},
        {
            "role": "user",
            "name": "Ann",
            "content": [
                TEXT,
                {
                    "type": "image_url",
                    "image_url": {"url": "https://example.com/cat.png", "detail": "low"},
                    **BREAKPOINT,
                },
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}, **BREAKPOINT},
                {
                    "type": "file",
                    "file": {"file_id": "file-1", "file_data": "JVBERg==", "filename": "a.pdf"},
                    **BREAKPOINT,
                },
            ],
        },
    ],
    [
        {"role": "assistant", "content": None, "tool_calls": [CALL, CUSTOM_CALL], "name": "Bob"},
        {"role": "tool", "tool_call_id": "call_1", "content": "The moon."},
        {"role": "tool", "tool_call_id": "call_2", "content": [PLAIN]},
    ],
    [
        {"role": "assistant", "content": [PLAIN, {"type": "refusal", "refusal": "No."}], "refusal": "No."},
        {"role": "assistant", "audio": {"id": "audio_1"}},
    ],
    [
        {"role": "assistant", "function_call": {"name": "look", "arguments": "{}"}},
        {"role": "function", "name": "look", "content": "The sun."},
    ],
]

CHAT: Json = {"model": "scripted", "messages": [{"role": "user", "content": "Hello"}]}
SAMPLING: Json = {
    "frequency_penalty": 0.5,
    "logit_bias": {"50256": -100},
    "n": 2,
    "presence_penalty": -0.5,
    "seed": 7,
    "stop": ["3", "4"],
    "temperature": 0.5,
    "top_p": 0.9,
    "user": "u-17",
}
CHAT_FULL: Json = {
    **CHAT,
    **SAMPLING,
    "logprobs": True,
    "top_logprobs": 2,
    "max_completion_tokens": 50,
    "metadata": METADATA,
    "modalities": ["text", "audio"],
    "audio": {"format": "mp3", "voice": "alloy"},
    "moderation": {
        "model": "omni-moderation-latest",
        "policy": {"input": {"mode": "block"}, "output": {"mode": "block"}},
    },
    "prediction": {"type": "content", "content": [TEXT]},
    "prompt_cache_key": "walk",
    "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "low",
    "safety_identifier": "s-17",
    "service_tier": "auto",
    "store": True,
    "stream": False,
    "verbosity": "low",
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {
            "type": "approximate",
            "approximate": {"city": "Oslo", "country": "NO", "region": "Oslo", "timezone": "Europe/Oslo"},
        },
    },
}
CUSTOM: Json = {"name": "search", "description": "Searches.", "format": {"type": "text"}}
GRAMMAR: Json = {"type": "grammar", "grammar": {"definition": "a+", "syntax": "regex"}}
TOOLS: list[Json] = [
    FUNCTION,
    {"type": "custom", "custom": CUSTOM},
    {"type": "custom", "custom": {**CUSTOM, "format": GRAMMAR}},
]
NAMED: Json = {"type": "function", "function": {"name": "look"}}
CHOICES: list[Any] = [
    "none",
    "auto",
    "required",
    NAMED,
    {"type": "custom", "custom": {"name": "search"}},
    {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}},
]
CHATS: list[Json] = [
    CHAT,
    CHAT_FULL,
    *({**CHAT, "messages": messages} for messages in CONVERSATIONS),
    {**CHAT, "tools": TOOLS, "parallel_tool_calls": False},
    *({**CHAT, "tools": [{"type": "function", "function": {"name": "look"}}], "tool_choice": one} for one in CHOICES),
    *({**CHAT, "functions": [LOOK], "function_call": choice} for choice in ("auto", {"name": "look"})),
    *({**CHAT, "response_format": format} for format in FORMATS[1:]),
    {**CHAT, "max_tokens": 50, "stop": "3", "audio": {"format": "wav", "voice": {"id": "voice_1"}}},
]

COMPLETION: Json = {"model": "writer", "prompt": "Once"}
COMPLETIONS: list[Json] = [
    COMPLETION,
    {**COMPLETION, **SAMPLING, "echo": False, "logprobs": 2, "max_tokens": 50, "suffix": "end.", "stream": False},
    {**COMPLETION, "best_of": 2, "stop": "3"},
    *({**COMPLETION, "prompt": prompt} for prompt in (["Once", "Twice"], [5, 6], [[5, 6], [7]])),
]

EMBEDDING: Json = {"model": "embedder", "input": "Hello"}
EMBEDDINGS: list[Json] = [
    EMBEDDING,
    {**EMBEDDING, "dimensions": 2, "encoding_format": "float", "user": "u-17"},
    *({**EMBEDDING, "input": given} for given in (["Hello", "there"], [5, 6], [[5, 6], [7]])),
]

MODERATION: Json = {"model": "moderator", "input": "Hello"}
MODERATIONS: list[Json] = [
    MODERATION,
    {**MODERATION, "input": ["Hello", "there"]},
    {
        **MODERATION,
        "input": [{"type": "text", "text": "Hello"}, {"type": "image_url", "image_url": {"url": PICTURE}}],
    },
]

IMAGE: Json = {"prompt": "A red square."}
IMAGE_FULL: Json = {
    **IMAGE,
    "model": "painter",
    "background": "opaque",
    "moderation": "low",
    "n": 2,
    "output_compression": 90,
    "output_format": "webp",
    "quality": "high",
    "size": "1024x1024",
    "user": "u-17",
}
EDIT: Json = {**IMAGE, "images": [{"file_id": "$picture"}]}
VARIATION: Json = {"image": "$picture"}

MODEL_BODIES: dict[str, list[Json]] = {
    "POST /chat/completions": CHATS,
    "POST /chat/completions/{completion_id}": [{"metadata": METADATA}],
    "POST /completions": COMPLETIONS,
    "POST /embeddings": EMBEDDINGS,
    "POST /moderations": MODERATIONS,
    "POST /images/generations": [
        IMAGE,
        {**IMAGE_FULL, "stream": False},
        {**IMAGE, "response_format": "url", "style": "vivid", "model": "painter"},
    ],
    "POST /images/edits": [
        EDIT,
        {
            **EDIT,
            **IMAGE_FULL,
            "images": [{"image_url": PICTURE}],
            "mask": {"file_id": "$mask"},
            "input_fidelity": "high",
        },
        {**EDIT, "mask": {"image_url": MASK}},
    ],
    "POST /images/variations": [
        VARIATION,
        {**VARIATION, "model": "painter", "n": 2, "response_format": "url", "size": "512x512", "user": "u-17"},
    ],
}

#: What these take beside their other bodies where they are asked for streams.
STREAMED: dict[str, list[Json]] = {
    "POST /chat/completions": [{**CHAT, "stream_options": {"include_usage": True, "include_obfuscation": True}}],
    "POST /completions": [{**COMPLETION, "stream_options": {"include_usage": True}}],
    "POST /images/generations": [{**IMAGE, "partial_images": 1}],
    "POST /images/edits": [{**EDIT, "partial_images": 1}],
}
#: Fields that are refused together with a stream.
NOT_STREAMED = ("best_of",)
