"""Which model judges: a moderation model's server where one is configured, else a chat model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ...errors import InvalidRequest, ModelError, ModelNotFound
from ...settings import Settings
from ...store.ids import new_id
from ...wire.moderations import (
    CATEGORIES,
    Moderation,
    ModerationCreate,
    ModerationImage,
    ModerationResult,
    ModerationText,
)
from ..chat import Json, Usage
from ..models import Models, ServedModel
from .judge import Content, Judge

#: OpenAI's names. Where no moderation model is configured, the default chat model judges.
_OFFICIAL = ("omni-moderation-", "text-moderation-")


@dataclass(frozen=True, slots=True)
class Moderator:
    """What judges."""

    model: ServedModel
    #: Whether it is a chat model that is asked, rather than a server of `/moderations`.
    asked: bool

    @property
    def name(self) -> str:
        """The name under which it answers."""
        return f"retinue-moderation-{self.model.name}" if self.asked else self.model.name


class Moderations:
    """Judges content."""

    def __init__(self, models: Models, settings: Settings) -> None:
        """`models`: the table of names."""
        self._models = models
        self._most_inputs = settings.max_moderation_inputs
        self._most_characters = settings.max_moderation_characters

    def find(self, name: str) -> Moderator:
        """What judges where a request names `name`.

        Raises:
            ModelNotFound: there is no such model.
            InvalidRequest: the model cannot judge.
        """
        try:
            model = self._models.resolve(name)
        except ModelNotFound:
            if not name.startswith(_OFFICIAL):
                raise
            return Moderator(self._models.resolve("default"), asked=True)
        if model.settings.backend not in ("openai", "local"):
            raise InvalidRequest(
                f"The model `{model.name}` does not judge content.", param="model", code="unsupported_value"
            )
        return Moderator(model, asked=model.local)

    async def judge(self, moderator: Moderator, request: ModerationCreate, caller: str) -> tuple[Moderation, Usage]:
        """The judgements, and the tokens that they took.

        Args:
            moderator: what judges.
            request: the content.
            caller: whose request it is, for the fair queue.

        Raises:
            InvalidRequest: there is too much to be judged, or an image that the model does not see.
            ModelError: the model failed, or its server refused.
        """
        if not moderator.asked:
            body = request.model_dump(exclude={"model"})
            return _official(await moderator.model.route.post("/moderations", body, caller)), Usage()
        contents = _contents(request)
        self._check(contents, moderator)
        judge = Judge(moderator.model, caller)
        results = [await judge.judge(content) for content in contents]
        return Moderation(id=new_id("modr-"), model=moderator.name, results=results), judge.usage

    def _check(self, contents: Sequence[Content], moderator: Moderator) -> None:
        if len(contents) > self._most_inputs:
            raise InvalidRequest(
                f"Invalid 'input': array too long. Expected an array with maximum length {self._most_inputs}, "
                f"but got an array with length {len(contents)} instead.",
                param="input",
                code="array_above_max_length",
            )
        characters = sum(len(text) for content in contents for text in content.texts)
        if characters > self._most_characters:
            raise InvalidRequest(
                f"Invalid 'input': string too long. Expected at most {self._most_characters} characters in all, but "
                f"got {characters} instead.",
                param="input",
                code="string_above_max_length",
            )
        if not moderator.model.vision and any(content.images for content in contents):
            raise InvalidRequest(
                f"The model `{moderator.model.name}` does not see images. Send texts only, or name a model that does.",
                param="input",
                code="unsupported_value",
            )


def _contents(request: ModerationCreate) -> list[Content]:
    """Each input by itself. Parts are one input together, texts are one each."""
    given = request.input
    if isinstance(given, str):
        return [Content([given])]
    parts = [part for part in given if not isinstance(part, str)]
    if not parts:
        return [Content([text]) for text in given if isinstance(text, str)]
    return [
        Content(
            [part.text for part in parts if isinstance(part, ModerationText)],
            [part.image_url.url for part in parts if isinstance(part, ModerationImage)],
        )
    ]


def _official(answer: Json) -> Moderation:
    """A server's answer with all that the official one has: servers of older models know fewer categories."""
    try:
        results = [_result(result) for result in answer["results"]]
        return Moderation(id=answer.get("id") or new_id("modr-"), model=answer["model"], results=results)
    except (AttributeError, KeyError, TypeError, ValidationError) as error:
        raise ModelError("The model's server sent an answer that is not a moderation.") from error


def _result(result: Mapping[str, Any]) -> ModerationResult:
    categories, scores = result["categories"], result["category_scores"]
    kinds = result.get("category_applied_input_types") or {}
    return ModerationResult(
        flagged=result["flagged"],
        categories={category: categories.get(category) or False for category in CATEGORIES},
        category_scores={category: scores.get(category) or 0.0 for category in CATEGORIES},
        category_applied_input_types={category: kinds.get(category, ["text"]) for category in CATEGORIES},
    )
