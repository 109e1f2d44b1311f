"""How many tokens a text has, about: for the context window, where an exact count is not worth its price.

What clients are told (`usage`) comes from here only where the model's server did not count: it tells no usage, or its
answer was broken off.
"""

from __future__ import annotations

from .chat import ChatRequest, Json, Usage, encoded

#: What the roles and separators around a message cost in the chat templates in use.
MESSAGE_OVERHEAD = 4
#: A picture, about: OpenAI's models count 765 for one of 1024 pixels a side.
_PICTURE = 765


def estimate_tokens(text: str) -> int:
    """A count that is rather too high than too low.

    One token for 3 characters of ASCII (English prose has 4 to 4.5, code about 3) and one for each other character
    (Chinese has 1.3 to 1.6 characters a token in current vocabularies). Linear in the text, and without a vocabulary:
    0.1 ms for 100,000 characters.
    """
    characters = len(text)
    # UTF-8 spends one byte on ASCII and mostly three on the rest, so the two lengths tell how many there are of each.
    others = min(characters, (len(text.encode("utf-8", "surrogatepass")) - characters + 1) // 2)
    return (characters - others) // 3 + others + 1


def estimate_prompt(request: ChatRequest) -> int:
    """Tokens that a call of a model sends: its messages and tools. Pictures count alike, however large their files."""
    pictures = 0
    messages: list[Json] = []
    for message in request.messages:
        if isinstance(content := message.get("content"), list):
            parts: list[Json] = content
            said = [part for part in parts if part.get("type") != "image_url"]
            pictures += len(parts) - len(said)
            message = message | {"content": said}
        messages.append(message)
    told = encoded([messages, request.tools]).decode()
    return estimate_tokens(told) + pictures * _PICTURE


def estimate_usage(request: ChatRequest, text: str) -> Usage:
    """What a call of a model has used; `text`: what has come of its answer."""
    return Usage(estimate_prompt(request), estimate_tokens(text))


def beginning(text: str, tokens: int) -> str:
    """A text, or as much of its beginning as has, by estimate, at most so many tokens."""
    # More than once, for the beginning may hold more tokens a character than the whole.
    while text and (found := estimate_tokens(text)) > tokens:
        text = text[: len(text) * max(0, tokens) // found]
    return text
