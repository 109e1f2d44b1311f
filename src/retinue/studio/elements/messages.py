"""Messages of the API as `Conversation` shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from openai.types.beta.threads import Annotation, Message, Text

from ..content import content_url
from ..visitor import Visitor

#: How the ids of assistants of GPTs begin.
GPT_ASSISTANTS = "asst_gpt_"
#: What stands for a citation in the text: see `Conversation`.
_BEGIN, _END = "\ue000", "\ue001"
#: Marks of citations that are still on their way.
MARKS = re.compile(r"【\d+:\d+†[^】]*】")


def shown(visitor: Visitor, message: Message, names: Mapping[str, str], assistant: str = "") -> dict[str, Any]:
    """A message for `Conversation`; an answer has a link to what its run did.

    Args:
        visitor: who reads.
        message: of the API.
        names: names of files by their ids; the id stands where there is none.
        assistant: what the assistant is called.
    """
    sources: dict[tuple[str, str], int] = {}
    parts: list[dict[str, Any]] = []
    for part in message.content:
        if part.type == "text":
            parts.append(text_part(part.text, names, sources))
        elif part.type == "image_file":
            parts.append({"type": "image", "src": content_url(part.image_file.file_id)})
        elif part.type == "image_url":
            parts.append({"type": "text", "text": f"[{part.image_url.url[:200]}]({part.image_url.url})"})
        elif part.type == "refusal":
            parts.append({"type": "text", "text": part.refusal})
    files = [one.file_id for one in message.attachments or [] if one.file_id]
    of_person = message.role == "user"
    links: list[dict[str, str]] = []
    if message.run_id:
        href = f"/runs/{message.thread_id}/{message.run_id}"
        links.append({"label": visitor.text("turn.happened"), "icon": "account_tree", "href": href})
    if message.run_id and (message.assistant_id or "").startswith(GPT_ASSISTANTS):
        where = urlencode({"thread": message.thread_id, "message": message.id})
        href = f"/gpts/rate/{message.assistant_id}?{where}"
        links.append({"label": visitor.text("gpt_rating.rate"), "icon": "thumbs_up_down", "href": href})
    return {
        "id": message.id,
        "role": message.role,
        "name": visitor.text("conversation.you") if of_person else assistant or visitor.text("conversation.assistant"),
        "time": datetime.fromtimestamp(message.created_at, UTC).isoformat(),
        "parts": parts,
        "files": [{"id": file, "name": names.get(file, file), "href": content_url(file)} for file in files],
        "links": links,
    }


def text_part(
    text: Text, names: Mapping[str, str], sources: dict[tuple[str, str], int] | None = None
) -> dict[str, Any]:
    """A text with its citations numbered, a number for each passage, and links to files that lead to them.

    Args:
        text: of the API.
        names: names of files by their ids.
        sources: the numbers so far in the message, by file and mark; is added to.
    """
    sources = {} if sources is None else sources
    cited: dict[int, dict[str, Any]] = {}
    pieces: list[str] = []
    at = 0
    for one in _in_order(text.annotations):
        begin, end = one.start_index, one.end_index
        if begin < at or end > len(text.value):
            continue
        pieces.append(text.value[at:begin])
        if one.type == "file_citation":
            file = one.file_citation.file_id
            number = sources.setdefault((file, one.text), len(sources) + 1)
            cited[number] = {"number": number, "name": names.get(file, file), "file": file, "mark": one.text}
            pieces.append(f"{_BEGIN}{number}{_END}")
        else:
            # The mark is the address in a Markdown link.
            pieces.append(content_url(one.file_path.file_id))
        at = end
    pieces.append(text.value[at:])
    return {"type": "text", "text": "".join(pieces), "plain": text.value, "citations": list(cited.values())}


def _in_order(annotations: Sequence[Annotation]) -> list[Annotation]:
    return sorted(annotations, key=lambda one: (one.start_index, one.end_index))


def files_of(messages: Sequence[Message]) -> set[str]:
    """The ids of all files that messages name."""
    found = {one.file_id for message in messages for one in message.attachments or [] if one.file_id}
    for message in messages:
        for part in message.content:
            if part.type == "text":
                for one in part.text.annotations:
                    place = one.file_citation if one.type == "file_citation" else one.file_path
                    found.add(place.file_id)
    return found
