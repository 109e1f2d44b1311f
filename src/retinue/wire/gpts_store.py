"""The store of GPTs: reviews, reports and what administrators decide. An extension."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .common import WireObject, WireRequest

#: Why somebody reports a GPT.
Reason = Literal["harmful", "misleading", "offensive", "privacy", "copyright", "spam", "other"]
ReportStatus = Literal["open", "resolved"]
_Text = Annotated[str, StringConstraints(max_length=2000, strip_whitespace=True)]


class GptReviewPut(WireRequest):
    """Body of `POST /gpts/{gpt_id}/reviews`."""

    #: Stars.
    rating: Annotated[int, Field(ge=1, le=5)]
    text: _Text = ""


class GptReview(WireObject):
    """What somebody thinks of a GPT."""

    id: str
    object: Literal["gpt.review"] = "gpt.review"
    gpt_id: str
    rating: int
    text: str
    #: The version that was used when it was written.
    version: int | None
    #: The name of who wrote it; null: whoever it was is gone.
    author: str | None
    #: Whether whoever asks wrote it.
    mine: bool
    created_at: int
    updated_at: int


class GptReportCreate(WireRequest):
    """Body of `POST /gpts/{gpt_id}/reports`."""

    reason: Reason
    text: _Text = ""


class GptReport(WireObject):
    """What somebody has told the administrators of a GPT."""

    id: str
    object: Literal["gpt.report"] = "gpt.report"
    gpt_id: str
    #: What the GPT is called now.
    gpt_name: str
    reason: Reason
    text: str
    status: ReportStatus
    #: The name of who reported it; null: whoever it was is gone.
    author: str | None
    created_at: int
    resolved_at: int | None
    #: What an administrator noted when resolving it.
    resolution: str | None


class GptReportResolve(WireRequest):
    """Body of `POST /gpts/reports/{report_id}/resolve`."""

    resolution: _Text = ""


class GptModerate(WireRequest):
    """Body of `POST /gpts/{gpt_id}/moderation`: what is absent stays as it is."""

    featured: bool | None = None
    hidden: bool | None = None
    #: Why it is hidden: its owner reads that.
    reason: _Text | None = None
    approved: bool | None = None


class GptTemplate(WireObject):
    """A GPT that is ready to be installed, in one language."""

    #: What it is installed by.
    id: str
    object: Literal["gpt.template"] = "gpt.template"
    language: str
    name: str
    description: str
    instructions: str
    conversation_starters: list[str]
    category: str
    tags: list[str]
    capabilities: list[str]
    #: The names of the files that it knows.
    knowledge: list[str]


class GptTemplates(WireObject):
    """All templates."""

    object: Literal["list"] = "list"
    data: list[GptTemplate]


class GptInstall(WireRequest):
    """Body of `POST /gpts/templates/{name}/install`."""

    language: Literal["en", "zh"] = "en"
