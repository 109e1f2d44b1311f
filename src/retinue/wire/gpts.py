"""GPTs: assistants with a profile, a draft and published versions. An extension."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from .common import (
    Id,
    Instructions,
    ModelName,
    ReasoningEffort,
    Temperature,
    TopP,
    WireObject,
    WireRequest,
    each_once,
    is_none,
)

#: Who finds and uses a GPT besides whoever may edit it: nobody; the people and groups of `shared_with`; everybody in
#: the project who knows its id, by a link; everybody in the project, who find it in the store.
Visibility = Literal["private", "people", "link", "store"]
Category = Literal[
    "writing", "productivity", "research", "education", "programming", "data", "lifestyle", "games", "other"
]
#: Which GPTs a list has: those in the store, the caller's own; for administrators, hidden ones, and those that are to
#: be in the store and are not approved.
Scope = Literal["store", "mine", "hidden", "waiting"]
#: What a list is ordered by.
Sort = Literal["newest", "most_used", "top_rated", "featured"]
#: What Retinue does for a GPT besides talking; searching its knowledge needs no switch.
Capability = Literal["web_browsing", "code_interpreter", "image_generation"]


_Name = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
_Starter = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
_Tag = Annotated[str, StringConstraints(min_length=1, max_length=32, strip_whitespace=True)]
_Language = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$", max_length=35)]
_WebAddress = Annotated[str, StringConstraints(pattern=r"^https?://", max_length=2048)]
_Starters = Annotated[list[_Starter], Field(max_length=12)]
_Tags = Annotated[list[_Tag], Field(max_length=10), AfterValidator(each_once)]
_Capabilities = Annotated[list[Capability], Field(max_length=3), AfterValidator(each_once)]
_Connections = Annotated[list[Id], Field(max_length=10), AfterValidator(each_once)]
#: What stands in addresses and in `model: "gpt:<slug>"`: letters and digits of any writing, with hyphens between.
Slug = Annotated[str, StringConstraints(pattern=r"^[^\W_]+(?:-[^\W_]+)*$", max_length=64, to_lower=True)]
_Ids = Annotated[list[Id], Field(max_length=100), AfterValidator(each_once)]


class GptContent(WireRequest):
    """What a GPT is made of: its draft, and frozen in each version."""

    name: _Name
    description: Annotated[str, StringConstraints(max_length=512)] = ""
    #: The id of an uploaded picture; null: one drawn from the name.
    picture: Id | None = None
    instructions: Instructions = ""
    conversation_starters: _Starters = Field(default_factory=list[str])
    category: Category = "other"
    tags: _Tags = Field(default_factory=list[str])
    #: Of the people it is for: a BCP 47 tag such as `en` or `zh`; null: any.
    language: _Language | None = None
    #: A model's name.
    model: ModelName = "default"
    #: Ids of files that it knows: found by file search, and given to the code interpreter where that is on.
    knowledge: _Ids = Field(default_factory=list[str])
    capabilities: _Capabilities = Field(default_factory=list[Capability])
    #: Ids of connections (`POST /v1/connections`): Actions and MCP servers.
    connections: _Connections = Field(default_factory=list[str])
    #: Where whoever stands behind the Actions says what becomes of data.
    privacy_policy_url: _WebAddress | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    reasoning_effort: ReasoningEffort | None = None


class _Sharing(WireRequest):
    """What creating and modifying a GPT have in common."""

    slug: Slug | None = None
    visibility: Visibility | None = None
    #: Ids of people and groups; they count where `visibility` is `people`.
    shared_with: _Ids | None = None
    #: Whether whoever may use it may make a copy of their own, instructions and knowledge included.
    allow_duplicate: bool | None = None


class GptCreate(_Sharing, GptContent):
    """Body of `POST /gpts`."""


class GptModify(_Sharing):
    """Body of `POST /gpts/{gpt_id}`: what is absent stays as it is, in the draft too."""

    name: _Name | None = None
    description: Annotated[str, StringConstraints(max_length=512)] | None = None
    picture: Id | None = None
    instructions: Instructions | None = None
    conversation_starters: _Starters | None = None
    category: Category | None = None
    tags: _Tags | None = None
    language: _Language | None = None
    model: ModelName | None = None
    knowledge: _Ids | None = None
    capabilities: _Capabilities | None = None
    connections: _Connections | None = None
    privacy_policy_url: _WebAddress | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    reasoning_effort: ReasoningEffort | None = None


#: The fields of a request that are no content.
SHARING = frozenset(_Sharing.model_fields)


class GptPublish(WireRequest):
    """Body of `POST /gpts/{gpt_id}/publish`."""

    #: What is new, for whoever looks at the versions.
    notes: Annotated[str, StringConstraints(max_length=2000)] = ""
    #: Who finds and uses it from now on; null: as it was.
    visibility: Visibility | None = None


class GptDraft(GptContent):
    """What a GPT will be when it is published next, and the assistant that is it already, to be tried."""

    assistant_id: str
    #: Where its knowledge is searched; null: it has none.
    vector_store_id: str | None


class GptStatistics(WireObject):
    """What is counted of a GPT."""

    #: Threads in which it was run. Trials of the draft do not count.
    conversations: int = 0
    #: People and service accounts that began these.
    users: int = 0
    reviews: int = 0
    #: Mean of the reviews' stars; null: there is no review.
    rating: float | None = None
    #: How many reviews have one star, two, … five.
    ratings: list[int] = Field(default_factory=lambda: [0] * 5)


class GptModeration(WireObject):
    """What administrators have decided of a GPT."""

    hidden: bool
    #: What they said why it is hidden.
    reason: str
    approved: bool
    #: Whether it is to be in the store and is not, until it is approved.
    waits: bool


class Gpt(WireObject):
    """A GPT, as its users see it: what was published last. Whoever may edit it sees more."""

    id: str
    object: Literal["gpt"] = "gpt"
    created_at: int
    updated_at: int
    slug: str
    name: str
    description: str
    #: The path of its picture.
    picture_url: str
    conversation_starters: list[str]
    category: Category
    tags: list[str]
    language: str | None
    #: What it can do: `capabilities`, and `file_search` and `actions`.
    capabilities: list[str]
    privacy_policy_url: str | None
    #: The number of the version that was published last; null: none yet.
    version: int | None
    #: The assistant of that version; null: none yet.
    assistant_id: str | None
    #: Who made it: the id of a person or service account; null: nobody knows.
    owner: str | None
    #: The name of that person or service account.
    author: str | None
    visibility: Visibility
    allow_duplicate: bool
    statistics: GptStatistics = Field(default_factory=GptStatistics)
    #: Whether administrators show it first in the store.
    featured: bool = False
    #: Whether whoever asks may change it.
    may_edit: bool
    #: Only for those who may edit it, as what follows.
    shared_with: list[str] | None = Field(default=None, exclude_if=is_none)
    draft: GptDraft | None = Field(default=None, exclude_if=is_none)
    #: Whether the draft differs from what was published last.
    unpublished_changes: bool | None = Field(default=None, exclude_if=is_none)
    moderation: GptModeration | None = Field(default=None, exclude_if=is_none)


class GptVersion(WireObject):
    """What was published once."""

    id: str
    object: Literal["gpt.version"] = "gpt.version"
    gpt_id: str
    #: From 1.
    number: int
    created_at: int
    notes: str
    #: The id of the person or service account that published it; null: nobody knows.
    published_by: str | None
    assistant_id: str
    content: GptContent
