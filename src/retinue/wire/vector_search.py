"""Searching vector stores: requests, filters on the attributes of files, and what is found."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    FiniteFloat,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
)

from .common import WireObject, WireRequest, is_none
from .vector_stores import FileContentPart

#: Numbers of each kind are one kind to the database.
Scalar = StrictStr | StrictBool | StrictInt | FiniteFloat
FilterKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
#: Filters in one compound filter.
MOST_FILTERS = 64


class ComparisonFilter(WireRequest):
    """Files whose attribute of this key compares so to the value. Files without it fit only `ne` and `nin`."""

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: FilterKey
    #: For `in` and `nin` a list; else one value.
    value: Scalar | Annotated[list[StrictStr | StrictInt | FiniteFloat], Field(max_length=1000)]


class CompoundFilter(WireRequest):
    """Files that fit all filters (`and`), or at least one (`or`)."""

    type: Literal["and", "or"]
    filters: Annotated[list[Filter], Field(max_length=MOST_FILTERS)]


Filter = Annotated[ComparisonFilter | CompoundFilter, Field(discriminator="type")]

CompoundFilter.model_rebuild()


# --- requests

#: Queries of one search, and characters of a query.
MOST_QUERIES, LONGEST_QUERY = 16, 4096
#: Filters within a filter, all together, and how deep they may nest.
_MOST_IN_ALL, _DEEPEST = 256, 8

Query = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_QUERY)]
Weight = Annotated[FiniteFloat, Field(ge=0, le=1_000)]


def _check_filter(value: ComparisonFilter | CompoundFilter) -> ComparisonFilter | CompoundFilter:
    level, filters = [value], 0
    for _ in range(_DEEPEST):
        filters += len(level)
        level = [inner for one in level if isinstance(one, CompoundFilter) for inner in one.filters]
    if level:
        raise ValueError(f"filters are nested too deep: at most {_DEEPEST} levels are allowed")
    if filters > _MOST_IN_ALL:
        raise ValueError(f"too many filters: at most {_MOST_IN_ALL} are allowed, got {filters}")
    return value


def _check_weights(value: HybridWeights) -> HybridWeights:
    if not value.embedding_weight and not value.text_weight:
        raise ValueError("one of the two weights must be greater than 0")
    return value


class HybridWeights(WireRequest):
    """What nearness in meaning, and words in common, count for. Only their ratio matters."""

    embedding_weight: Weight
    text_weight: Weight


class SearchRanking(WireRequest):
    """How results are ranked."""

    #: `none`: without the reranker.
    ranker: Literal["none", "auto", "default-2024-11-15", "default_2024_08_21"] | None = None
    score_threshold: Annotated[FiniteFloat, Field(ge=0, le=1)] | None = None
    hybrid_search: Annotated[HybridWeights, AfterValidator(_check_weights)] | None = None


class VectorSearch(WireRequest):
    """Body of `POST /vector_stores/{id}/search`."""

    query: Query | Annotated[list[Query], Field(min_length=1, max_length=MOST_QUERIES)]
    rewrite_query: bool | None = None
    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = None
    filters: Annotated[Filter, AfterValidator(_check_filter)] | None = None
    ranking_options: SearchRanking | None = None
    #: An extension: whether results tell why they were found.
    explain: bool | None = None

    @property
    def queries(self) -> list[str]:
        """The queries, each once."""
        return [self.query] if isinstance(self.query, str) else list(dict.fromkeys(self.query))


# --- answers


class SearchLeg(WireObject):
    """What one way of searching made of a chunk."""

    #: Among all chunks of the store, from 1; null beyond the first hundred.
    rank: int | None
    #: 0 to 1.
    score: float
    #: What it counts for: the larger one of the two ways is 1.
    weight: float


class MeaningLeg(SearchLeg):
    """By meaning."""

    #: Of the vectors of query and chunk.
    cosine: float


class WordPlace(WireObject):
    """Where words of the query stand in a chunk's text: characters from the first to before the last."""

    start_index: int
    end_index: int


class WordsLeg(SearchLeg):
    """By words."""

    #: Words of the query that the chunk has, and that it has not, as the query writes them.
    found: list[str]
    missing: list[str]
    places: list[WordPlace]


class ChunkPlace(WireObject):
    """Where a chunk stands in its file."""

    #: From 1.
    chunk: int
    chunks: int
    #: Of its first character in the file's text.
    start_index: int
    page: int | None
    section: str | None
    #: The file's text before it and behind it, up to 1,000 characters.
    before: str
    behind: str


class SearchExplanation(WireObject):
    """Why a chunk was found; an extension."""

    #: The one of the queries that it fits best.
    query: str
    #: Of both ways together, before a reranker.
    score: float
    reranked: bool
    meaning: MeaningLeg | None
    words: WordsLeg | None
    place: ChunkPlace


class SearchResult(WireObject):
    """A chunk that was found."""

    file_id: str
    filename: str
    #: 0 to 1.
    score: float
    attributes: dict[str, str | bool | int | float]
    content: list[FileContentPart]
    #: Only where the request asks for it.
    retinue: SearchExplanation | None = Field(default=None, exclude_if=is_none)


class SearchResults(WireObject):
    """The answer to a search: all of it, so there is no further page."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    #: The queries that were used.
    search_query: list[str]
    data: list[SearchResult]
    has_more: Literal[False] = False
    next_page: None = None
