"""Where an answer comes from, for models that read pages of the web and do not say so."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Addresses that are named; the last pages are the likeliest.
_MOST = 3
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def sources_line(text: str, addresses: Sequence[str]) -> str:
    """What to put behind an answer so that it carries the addresses that it came from.

    Args:
        text: the whole answer.
        addresses: of the pages that its run has read, in their order, perhaps more than once.

    Returns:
        A paragraph, in the answer's language; "" where the answer names one of them, or there is nothing to name.
    """
    read = list(dict.fromkeys(reversed(addresses)))[:_MOST][::-1]
    if not text.strip() or not read or any(address.rstrip("/") in text for address in addresses):
        return ""
    if _CHINESE.search(text):
        return "\n\n来源：" + "、".join(read)
    return f"\n\n{'Source' if len(read) == 1 else 'Sources'}: {', '.join(read)}"
