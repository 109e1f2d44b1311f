"""What a search of a vector store has found, and why: the API's results with `explain`, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from ..content import content_url
from ..visitor import Visitor
from .attributes import written


class Passages(ui.element, component="passages.js"):
    """Chunks, best first, with their words marked."""

    def __init__(self, visitor: Visitor, results: Sequence[Mapping[str, Any]]) -> None:
        """`results`: of ``POST /v1/vector_stores/{id}/search`` with ``explain``."""
        super().__init__()
        self._props["labels"] = {key: visitor.text(f"passages.{key}") for key in ("score", "why", "around")}
        self._props["results"] = [_shown(visitor, one, at == 0) for at, one in enumerate(results)]


def _shown(visitor: Visitor, result: Mapping[str, Any], first: bool) -> dict[str, Any]:
    text, why = visitor.text, result["retinue"]
    place = why["place"]
    where = [text("passages.place", chunk=place["chunk"], chunks=place["chunks"])]
    where += [text("passages.page", page=place["page"])] if place["page"] else []
    where += [place["section"]] if place["section"] else []
    said = "".join(part["text"] for part in result["content"])
    return {
        "title": f"{result['filename']}, {where[0]}",
        "file": result["filename"],
        "href": content_url(result["file_id"]),
        "where": " · ".join(where),
        "score": _number(result["score"]),
        "text": said,
        "parts": marked(said, (why["words"] or {}).get("places", ())),
        "attributes": written(result["attributes"]).replace("\n", "   "),
        "first": text("passages.first", why=text(_because(why))) if first else "",
        "legs": [_meaning(visitor, why["meaning"]), _words(visitor, why["words"])],
        "lines": _lines(visitor, result),
        "before": place["before"],
        "behind": place["behind"],
    }


def marked(text: str, places: Sequence[Mapping[str, int]]) -> list[dict[str, Any]]:
    """A text in parts, those at the places marked."""
    parts: list[dict[str, Any]] = []
    at = 0
    for place in places:
        begin, end = place["start_index"], place["end_index"]
        parts += [{"text": text[at:begin]}] if begin > at else []
        parts.append({"text": text[begin:end], "marked": True})
        at = end
    return [*parts, {"text": text[at:]}] if at < len(text) else parts


def _because(why: Mapping[str, Any]) -> str:
    if why["reranked"]:
        return "passages.by_reranker"
    shares = [leg["score"] * leg["weight"] if leg else 0.0 for leg in (why["meaning"], why["words"])]
    if not why["words"]:
        return "passages.by_meaning"
    # A fifth of the other leg is what nearly every chunk has.
    return "passages.by_both" if shares[0] > shares[1] / 5 else "passages.by_words"


def _lines(visitor: Visitor, result: Mapping[str, Any]) -> list[str]:
    text, why = visitor.text, result["retinue"]
    lines = [text("passages.both", score=_number(why["score"]))]
    if why["reranked"]:
        lines.append(text("passages.reranked", score=_number(result["score"])))
    return [*lines, text("passages.fits", query=why["query"])]


def _meaning(visitor: Visitor, leg: Mapping[str, Any] | None) -> dict[str, Any]:
    if leg is None:
        return {
            "name": visitor.text("passages.meaning"),
            "share": 0,
            "score": "",
            "said": visitor.text("passages.no_meaning"),
        }
    said = [*_standing(visitor, leg), visitor.text("passages.cosine", cosine=_number(leg["cosine"]))]
    return _leg("passages.meaning", visitor, leg, said)


def _words(visitor: Visitor, leg: Mapping[str, Any] | None) -> dict[str, Any]:
    text = visitor.text
    if leg is None:
        return {"name": text("passages.words"), "share": 0, "score": "", "said": text("passages.no_words")}
    said = _standing(visitor, leg)
    for key, found in (("has", leg["found"]), ("lacks", leg["missing"])):
        if found:
            said.append(text(f"passages.{key}", words=text("passages.comma").join(found)))
    return _leg("passages.words", visitor, leg, said)


def _standing(visitor: Visitor, leg: Mapping[str, Any]) -> list[str]:
    rank = visitor.text("passages.rank", rank=leg["rank"]) if leg["rank"] else visitor.text("passages.beyond")
    return [rank, visitor.text("passages.counts", weight=f"{leg['weight'] * 100:.0f}")]


def _leg(name: str, visitor: Visitor, leg: Mapping[str, Any], said: Sequence[str]) -> dict[str, Any]:
    share = round(leg["score"] * leg["weight"] * 100, 1)
    return {"name": visitor.text(name), "share": share, "score": _number(leg["score"]), "said": " · ".join(said)}


def _number(value: float) -> str:
    return f"{value:.3f}"
