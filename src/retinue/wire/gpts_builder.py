"""The builder of GPTs: what an assistant needs that makes them in conversation. An extension."""

from __future__ import annotations

from typing import Literal

from .common import WireObject
from .tools import FunctionTool

#: Languages in which the builder is told what to do.
BuilderLanguage = Literal["en", "zh"]


class GptBuilderQuestion(WireObject):
    """Something that is worth asking whoever makes a GPT."""

    #: A field of the draft: the question is of use while that is empty; null: always.
    unless: str | None
    question: str


class GptBuilder(WireObject):
    """All that a client needs to let an assistant make and change a draft."""

    object: Literal["gpt.builder"] = "gpt.builder"
    language: BuilderLanguage
    #: Whether the default model is led to calls by prompts, as small ones are: then the client decides which function
    #: is called, and what of the draft it writes; other models decide for themselves.
    led: bool
    #: What the assistant is called.
    name: str
    #: What it says before anybody has said something.
    greeting: str
    #: Of the assistant.
    instructions: str
    #: Of the assistant: functions that the client answers.
    tools: list[FunctionTool]
    #: The function that makes the draft: of use as long as there is none.
    first: str
    #: The function that changes it: of use from then on.
    then: str
    #: What a run is told of the draft (`additional_instructions`), with `{draft}` for it as JSON.
    draft_note: str
    #: What the function's output says where it was done, with `{changed}` and `{question}`.
    done_note: str
    #: What the output of `add_action` says besides, with `{operations}` for their names.
    action_note: str
    #: What is asked in turn, one after each change; the last one again.
    questions: list[GptBuilderQuestion]
    #: The model that draws for `draw_picture`; null: none does, and there is no such function.
    image_model: str | None
