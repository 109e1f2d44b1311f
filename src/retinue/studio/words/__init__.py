"""The words of the pages, in English and Chinese: a file for each group of pages.

A word has a key, such as ``chat.send``, whose first part names its file, and stands there as ``(English, Chinese)``.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..texts import Language
from . import (
    audit,
    chat,
    completions,
    conversation,
    errors,
    files,
    frame,
    history,
    keys,
    limits,
    listing,
    logs,
    manage,
    models,
    passages,
    people,
    playground,
    runs,
    settings,
    start,
    stores,
    tokenizer,
    turn,
    uploads,
    usage,
)

_MODULES = (
    audit,
    chat,
    completions,
    conversation,
    errors,
    files,
    frame,
    history,
    keys,
    limits,
    listing,
    logs,
    manage,
    models,
    passages,
    people,
    playground,
    runs,
    settings,
    start,
    stores,
    tokenizer,
    turn,
    uploads,
    usage,
)
#: All words, by their keys.
WORDS: Mapping[str, tuple[str, str]] = {
    f"{module.__name__.rpartition('.')[2]}.{key}": pair for module in _MODULES for key, pair in module.WORDS.items()
}


def word(language: Language, key: str, **values: object) -> str:
    """Words in a language.

    Args:
        language: which.
        key: of `WORDS`.
        values: what stands in the places in braces.

    Raises:
        KeyError: there are none with this key, or a value is missing.
    """
    text = WORDS[key][language == "zh"]
    return text.format(**values) if values else text
