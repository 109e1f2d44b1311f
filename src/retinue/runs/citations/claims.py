"""Whether a sentence of an answer claims something that could stand in a file."""

from __future__ import annotations

import re

from .sentences import CLOSERS

_NOT = r"(?:(?:do|does|did|is|are|was|were|can|could|has|have)(?: not|n['’]t)|cannot|unable to) (?:\w+ ){0,3}"
#: The files, or whoever answers, do not know. What the files do say may be negative as well: "It does not open".
_UNKNOWN = re.compile(
    rf"\b{_NOT}(?:mention|specif|say|tell|state|found|find|know|sure|answer|determine|any information|any details)"
    rf"|\b(?:files?|documents?|passages?|texts?|sources?|context|results?)\b[^.,;]{{0,40}}{_NOT}"
    r"(?:contain|includ|cover|describe|provid|give)"
    r"|\b(?:no|any|more|further) (?:\w+ )?information|\bno (?:\w+ )?(?:mention|details?|reference|answer)"
    r"|(?:没有|未能?|没|无法|不能|不)[^，。]{0,4}(?:提到|提及|说明|找到|查到|涉及|记载|回答|知道|清楚)"
    r"|(?:没有|无|缺乏|未提供)[^，。]{0,12}(?:信息|资料|内容)"
    r"|(?:文件|文档|资料|段落|材料|手册)[^，。]{0,12}(?:没有|未|不)(?:包含|给出|提供|列出)",
    re.IGNORECASE,
)
#: Politeness.
_POLITE = re.compile(
    r"\b(?:sorry|apologi[sz]e|unfortunately|let me know|feel free|please (?:ask|let)|happy to|glad to|you['’]re welcome"
    r"|how (?:can|may) i|(?:can|may) i (?:help|assist)|hope (?:this|that) helps)\b"
    r"|抱歉|对不起|很遗憾|请随时|请告诉我|希望(?:这|对|能)|如果您?(?:还有|需要)|很高兴|不客气|请问|有什么(?:可以|能)",
    re.IGNORECASE,
)


def claims(sentence: str) -> bool:
    """Whether a sentence may be a claim: no question, announcement, politeness or word that nothing is known."""
    if sentence.rstrip(CLOSERS + " \t").endswith(("?", "？", ":", "：")):
        return False
    return not (_UNKNOWN.search(sentence) or _POLITE.search(sentence))
