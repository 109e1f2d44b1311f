"""Rankings: the request and the answer of `POST /rerank`, an extension in the shape of Jina's and Cohere's."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .common import ModelName, WireObject, WireRequest, is_none


class RerankText(WireRequest):
    """A document, as an object."""

    text: str


class RerankCreate(WireRequest):
    """What is asked, and what is to be ranked."""

    model: ModelName
    query: Annotated[str, Field(min_length=1)]
    documents: Annotated[list[str | RerankText], Field(min_length=1)]
    #: Only the best so many are answered.
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool = False

    @property
    def texts(self) -> list[str]:
        """The documents, each as its text."""
        return [given if isinstance(given, str) else given.text for given in self.documents]


class RankedText(WireObject):
    """A document's text."""

    text: str


class RankedDocument(WireObject):
    """A document with its score."""

    #: Which one of the request it is, from 0.
    index: int
    #: How well it answers the query, from 0 to 1.
    relevance_score: float
    #: Present where the request asked for it.
    document: RankedText | None = Field(default=None, exclude_if=is_none)


class RerankUsage(WireObject):
    """Tokens, by estimate."""

    total_tokens: int


class Ranking(WireObject):
    """Documents, the best first."""

    model: str
    results: list[RankedDocument]
    usage: RerankUsage
