"""A chat model that judges content by one word, whose probability is the score. It is no trained classifier."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import ModelError
from ...wire.moderations import CATEGORIES, Category, InputType, ModerationResult
from ..chat import Json, Usage
from ..models import ServedModel
from ..native import CHAT
from .words import SAFE, WORDS, conversation, word_of

#: From which score on content is flagged.
_THRESHOLD = 0.5
#: Characters of a text that are judged at once, and by which two pieces overlap: in a longer text a sentence is lost.
_PIECE, _OVERLAP = 4000, 200
#: The most alternatives that servers tell of a token.
_ALTERNATIVES = 20
#: Categories that OpenAI judges images by.
_SEEN: frozenset[Category] = frozenset(
    {"self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "violence", "violence/graphic"}
)


@dataclass(frozen=True, slots=True)
class Content:
    """One input."""

    texts: Sequence[str]
    #: URLs.
    images: Sequence[str] = field(default_factory=tuple[str, ...])

    def pieces(self) -> list[str]:
        """The text, cut where it is long."""
        text = "\n".join(self.texts)
        step = _PIECE - _OVERLAP
        return [text[start : start + _PIECE] for start in range(0, max(1, len(text) - _OVERLAP), step)]


class Judge:
    """A chat model, asked for judgements."""

    def __init__(self, model: ServedModel, caller: str) -> None:
        """`caller`: whose calls these are, for the fair queue."""
        self._model = model
        self._caller = caller
        #: Tokens of all calls.
        self.usage = Usage()

    async def judge(self, content: Content) -> ModerationResult:
        """The judgement of one input: of a long one, the worst that was said of its pieces.

        Raises:
            ModelError: the model failed, refused or did not answer with one of the words.
        """
        worst: dict[Category, float] = dict.fromkeys(CATEGORIES, 0.0)
        flagged: set[Category] = set()
        for piece in content.pieces():
            chances = await self._ask(piece, list(content.images))
            scores = _scores(chances)
            flagged |= _flagged(1 - chances.get(SAFE, 0.0), scores)
            worst = {category: max(worst[category], scores[category]) for category in CATEGORIES}
        kinds: list[InputType] = ["text"] if any(content.texts) else []
        return ModerationResult(
            flagged=bool(flagged),
            categories={category: category in flagged for category in CATEGORIES},
            category_scores=worst,
            category_applied_input_types={
                category: [*kinds, "image"] if content.images and category in _SEEN else kinds
                for category in CATEGORIES
            },
        )

    async def _ask(self, text: str, images: list[str]) -> dict[str, float]:
        """How likely each word is, together 1; words that hardly are may be missing."""
        body: Json = {
            "messages": conversation(text, images),
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": True,
            "top_logprobs": _ALTERNATIVES,
        }
        answer = await self._model.route.post(CHAT, body, self._caller)
        try:
            usage = answer.get("usage") or {}
            self.usage += Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))
            chances = _chances(answer["choices"][0])
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise ModelError("The model's server sent an answer that is not a chat completion.") from error
        if not chances:
            raise ModelError(
                f"The model `{self._model.name}` cannot judge this content: it did not answer with one word. The "
                "setting `default_moderation_model` can name another."
            )
        return chances


def _chances(choice: Json) -> dict[str, float]:
    """How likely each word is, by the alternatives to the answer's first token; without these, by the answer."""
    chances: dict[str, float] = {}
    content = (choice.get("logprobs") or {}).get("content")
    for token in content[0]["top_logprobs"] if content else ():
        if word := word_of(token["token"]):
            chances[word] = chances.get(word, 0.0) + math.exp(float(token["logprob"]))
    if total := sum(chances.values()):
        return {word: chance / total for word, chance in chances.items()}
    said = word_of(choice["message"].get("content") or "")
    return {said: 1.0} if said else {}


def _scores(chances: Mapping[str, float]) -> dict[Category, float]:
    """The score of each category: how likely any of its words is."""
    return {
        category: min(1.0, sum(chance for word, chance in chances.items() if category in WORDS[word][1]))
        for category in CATEGORIES
    }


def _flagged(harm: float, scores: Mapping[Category, float]) -> set[Category]:
    """The categories that content is flagged for: where it is harmful, the likeliest at least."""
    if harm < _THRESHOLD:
        return set()
    highest = max(scores.values())
    return {category for category, score in scores.items() if score >= min(_THRESHOLD, highest)}
