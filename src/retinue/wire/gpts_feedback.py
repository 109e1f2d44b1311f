"""What users say of a GPT's answers, and how its runs went."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from .common import Id, ObjectList, WireObject, WireRequest, is_none
from .runs import Amount

Rating = Literal["up", "down"]
#: Why a question counts as one without an answer.
Reason = Literal["failed", "disliked", "found_nothing"]


class GptFeedbackCreate(WireRequest):
    """Body of `POST /gpts/{gpt_id}/feedback`."""

    thread_id: Id
    #: An answer of the GPT.
    message_id: Id
    rating: Rating
    comment: Annotated[str, StringConstraints(max_length=2000, strip_whitespace=True)] = ""
    #: Whether those who may edit the GPT may read the question and this answer.
    share_conversation: bool = False


class GptFeedback(WireObject):
    """What somebody said of an answer. Editors are not told who."""

    id: str
    object: Literal["gpt.feedback"] = "gpt.feedback"
    created_at: int
    gpt_id: str
    #: The published version that answered; null: the draft.
    version: int | None
    rating: Rating
    comment: str
    share_conversation: bool
    #: These two only for whoever said it.
    thread_id: str | None = Field(default=None, exclude_if=is_none)
    message_id: str | None = Field(default=None, exclude_if=is_none)
    #: The words before the answer, and the answer, as far as they were shared.
    question: str | None = None
    answer: str | None = None


class GptRatings(WireObject):
    """How often a version's answers were rated up and down."""

    version: int | None
    up: int
    down: int


class GptFeedbackList(ObjectList[GptFeedback]):
    """One page of feedback."""

    #: Over all feedback that is listed, on this page and others; newest version first.
    ratings: list[GptRatings]


class GptFigures(WireObject):
    """How a GPT was used in some time, in some version."""

    conversations: int
    users: int
    runs: int
    #: That the GPT wrote.
    messages: int
    #: Runs that failed, expired, or broke off at a limit.
    errors: int
    #: Runs in which every search of the knowledge found nothing.
    found_nothing: int
    #: Runs without a good answer: errors, answers that were rated down, and those that found nothing and that nobody
    #: rated up.
    unanswered: int
    thumbs_up: int
    thumbs_down: int
    input_tokens: int
    output_tokens: int
    cost: Amount
    #: From a run's creation to its end, of those that were completed; null: there are none.
    median_seconds: float | None


class GptVersionFigures(GptFigures):
    """Of one version."""

    version: int


class GptDayFigures(GptVersionFigures):
    """Of one version on one day."""

    #: In UTC, as ISO writes it.
    date: str


class GptQuestion(WireObject):
    """A question without a good answer, whose user agreed to share it."""

    asked_at: int
    version: int
    reason: Reason
    question: str | None
    comment: str


class GptAnalytics(WireObject):
    """How a GPT's published versions were used."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, serialize_by_alias=True)

    object: Literal["gpt.analytics"] = "gpt.analytics"
    gpt_id: str
    #: Days, both inclusive.
    from_: str = Field(alias="from")
    to: str
    total: GptFigures
    #: Newest first.
    versions: list[GptVersionFigures]
    #: Oldest first; days without runs are left out.
    days: list[GptDayFigures]
    #: The latest 20.
    questions: list[GptQuestion]
