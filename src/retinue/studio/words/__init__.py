"""The words of the pages, in English and Chinese: a file for each group of pages.

A word has a key, such as ``chat.send``, whose first part names its file, and stands there as ``(English, Chinese)``.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..texts import Language
from . import (
    agents,
    audit,
    chat,
    completions,
    connections,
    conversation,
    errors,
    files,
    frame,
    generate,
    gpt_analytics,
    gpt_builder,
    gpt_categories,
    gpt_form,
    gpt_links,
    gpt_preview,
    gpt_rating,
    gpt_store,
    groups,
    guests,
    history,
    keys,
    limits,
    listing,
    logs,
    manage,
    metadata,
    models,
    passages,
    people,
    playground,
    run_options,
    runs,
    settings,
    shared,
    start,
    stores,
    tokenizer,
    turn,
    uploads,
    usage,
)

_MODULES = (
    agents,
    audit,
    chat,
    completions,
    connections,
    conversation,
    errors,
    files,
    frame,
    generate,
    gpt_analytics,
    gpt_builder,
    gpt_categories,
    gpt_form,
    gpt_links,
    gpt_preview,
    gpt_rating,
    gpt_store,
    groups,
    guests,
    history,
    keys,
    limits,
    listing,
    logs,
    manage,
    metadata,
    models,
    passages,
    people,
    playground,
    run_options,
    runs,
    settings,
    shared,
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
