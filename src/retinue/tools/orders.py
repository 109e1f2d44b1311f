"""Leaves out of texts from outside what is meant to give the model orders.

Telling a small model that a text is data does not keep it from obeying the text: the default model answered BANANA when
a file said so, however the file was fenced, quoted or spaced out, and in Chinese more readily than in English; with the
orders left out it answered the question. A larger model needs this less and loses little by it. It knows the usual
words only, so it makes an attack harder and not impossible: what a run may do has to be safe without it.
"""

from __future__ import annotations

import re

#: Stands for what was left out.
NOTE = "[Left out: orders to whoever reads this.]"

#: Sentences after such a one that are left out with it, if they are in the same line: they say what to do instead.
_AFTER = 2

_ORDER = re.compile(
    r"""
    \b(?:ignore|disregard|forget|override|bypass)\b [^.!?\n]{0,40} \b(?:instructions?|prompts?|guidelines|directives)\b
    | \b(?:note|message|instructions?)\ (?:to|for)\ (?:the\ |any\ |all\ )?(?:ai|llms?|assistants?|chatbots?)\b
    | \bnew\ (?:system\ )?(?:instructions?|prompt)\s*:
    | \b(?:do\ not|don't|never)\ (?:answer|reply\ to|respond\ to)\ [^.!?\n]{0,20}\b(?:user|question)
    | \bfrom\ now\ on,?\ (?:you\ (?:must|will|are|should)|only|always|answer|reply|respond|say|act)\b
    | \b(?:answer|reply|respond)\ (?:only\ )?with\ (?:only\ )?the\ (?:words?|phrase)\b
    | (?:忽略|[无無][视視]|忘[记記掉]|不要(?:理[会會]|遵[守循])) [^。！？\n]{0,12}
      (?:指[令示]|提示|[规規][则則]|[设設]定|[对對][话話])
    | (?:致|[给給告])(?:人工智[能慧]|AI|[语語]言模型|大模型)
    | (?:系[统統]提示|新的?指[令示])\s*[:：]
    | (?:不要|不得|[别別]|禁止)回[答复覆](?:用[户戶]|使用者)
    | [从從][现現]在(?:起|[开開]始)[^。！？\n]{0,20}(?:只|都|必[须須])[^。！？\n]{0,6}(?:回[答复覆]|[输輸]出|[说說])
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")


def without_orders(text: str) -> str:
    """A text from outside as a model is given it.

    Args:
        text: of any length, in any language; orders are known in English and Chinese.

    Returns:
        The text, with NOTE in place of each order and of what follows it in the same line, at most two sentences.
    """
    if not _ORDER.search(text):
        return text
    return "\n".join(map(_line, text.split("\n")))


def _line(line: str) -> str:
    if not _ORDER.search(line):
        return line
    kept: list[str] = []
    begin = left_out = 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(line)), len(line)]:
        sentence = line[begin:end]
        begin = end
        if _ORDER.search(sentence):
            left_out = _AFTER + 1
        if not left_out:
            kept.append(sentence)
            continue
        left_out -= 1
        if not kept or kept[-1] != NOTE:
            kept.append(NOTE)
    return "".join(kept)
