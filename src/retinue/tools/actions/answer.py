"""What a model is told of the answer to a request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import orjson

from ...store.store import Store
from ...wire.steps import FunctionToolCall
from ..outputs import file_name, keep_answer
from ..shortened import from_outside
from ..tool import Served, Told

_TEXT = re.compile(
    r"text/|application/(?:[\w.+-]+\+)?(?:json|xml|yaml|x-yaml|javascript|x-ndjson|x-www-form-urlencoded)$"
)
#: Bytes of JSON whose blanks are taken out; of more, only a small part is told anyway.
_MOST_COMPACTED = 256 * 1024
_CHARSET = re.compile(r"charset=\"?([\w.-]+)", re.IGNORECASE)
_FILENAME = re.compile(r"filename\*=(?:UTF-8|utf-8)''([^;]+)|filename=\"([^\"]+)\"|filename=([^;\s]+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: Of the operation that was called.
    path: str


async def told(store: Store, scope: Told, call: FunctionToolCall, answer: Answer, hide: Callable[[str], str]) -> Served:
    """The answer as a model reads it: text as it is, as far as there is room; other content becomes a file.

    Args:
        store: where files are kept.
        scope: for what the call was made.
        call: the call.
        answer: what came.
        hide: leaves secrets out of a text.
    """
    failed = answer.status >= 400 or 300 <= answer.status < 400
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not answer.body:
        words = f"{answer.status}, without content."
        return Served(call, f"Error: the service answered {words}" if failed else f"Done: {words}", failed=failed)
    if failed or _TEXT.match(kind) or (not kind and _is_text(answer.body)):
        text = from_outside(_text(answer, kind), scope.room, hide)
        return Served(call, f"Error: the service answered {answer.status}.\n{text}" if failed else text, failed=failed)
    name = f"{scope.number}-{_name(answer)}"
    kept = await keep_answer(store, scope.project, name, answer.body, kind)
    return Served(call, kept.words, files={kept.path: kept.file}, pictures=[kept.file] if kept.picture else [])


def _text(answer: Answer, kind: str) -> str:
    if kind.endswith("json") and len(answer.body) <= _MOST_COMPACTED:
        try:
            # Without blanks there is room for more of it.
            return orjson.dumps(orjson.loads(answer.body)).decode()
        except orjson.JSONDecodeError:
            pass
    charset = _CHARSET.search(answer.headers.get("content-type", ""))
    try:
        text = answer.body.decode(charset[1] if charset else "utf-8", "replace")
    except (LookupError, ValueError):
        text = answer.body.decode("utf-8", "replace")
    return text


def _is_text(body: bytes) -> bool:
    try:
        return "\x00" not in body.decode()
    except UnicodeDecodeError:
        return False


def _name(answer: Answer) -> str:
    """What the file is called: as the service says, else as the path ends."""
    found = _FILENAME.search(answer.headers.get("content-disposition", ""))
    said = unquote(found[1]) if found and found[1] else (found[2] or found[3]) if found else ""
    return file_name(said) or file_name(answer.path.rstrip("/")) or "file"
