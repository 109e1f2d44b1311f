"""Name, role and goals, drafted by the model from one sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..accounts.keys import Caller, Origin
from ..accounts.metering import Metering
from ..accounts.prices import dollars
from ..inference.chat import Json
from ..inference.models import ServedModel
from ..inference.prompted.schema import object_of
from ..wire.agents import AgentCreate, Language
from ..wire.runs import Amount, CompletionUsage
from .asking import Asking, Tally, completion_usage
from .guide import parts

#: Goals that are drafted.
_MOST_GOALS = 5
_ASK = {
    "en": "You set up an agent that works by itself. From the user's task, give it, in JSON: a short name that ends in "
    "GPT; a role in half a sentence that begins with “an AI that”",
    "zh": "你要配置一个独立工作的智能体。请根据用户的任务，用 JSON 给出：一个以 GPT 结尾的简短名称；"
    "半句话的角色（以“一个……的人工智能”的形式）",
}
_GOALS = {
    "en": "; one to five goals: concrete steps to the task, in order, and nothing that was not asked for",
    "zh": "；一到五个目标：完成任务的具体步骤，按顺序排列，不要加入没有要求的内容",
}
_ROLE = {"en": "an AI that works towards its goals by itself", "zh": "一个独立完成目标的人工智能"}
_NAME = {"en": "Retinue-GPT", "zh": "随行-GPT"}
_PROFILE: Json = {
    "name": {"type": "string", "maxLength": 40},
    "role": {"type": "string", "maxLength": 200},
}
_LIST: Json = {
    "type": "array",
    "items": {"type": "string", "maxLength": 300},
    "minItems": 1,
    "maxItems": _MOST_GOALS,
}


@dataclass(frozen=True, slots=True)
class Drafted:
    """What a new agent begins with; `usage` and `cost` are what the draft has taken."""

    name: str
    role: str
    goals: list[str]
    usage: CompletionUsage
    cost: Amount


async def drafted(
    body: AgentCreate, language: Language, model: ServedModel, metering: Metering, caller: Caller
) -> Drafted:
    """Name, role and goals of a new agent: what the request says, and for the rest what the model makes of its task.

    A model that runs here is asked for no goals: small ones draft wishes rather than steps, and then work for those.
    The parts of the task are its goals.

    Raises:
        ModelError: the model's server does not answer.
        RateLimited: a limit of the caller is reached.
    """
    found: dict[str, Any] = {}
    # There is no agent yet whose name the books could have.
    taken, origin = Tally(), Origin("", "", "")
    if body.task and not body.goals:
        asked = _ASK[language] if model.local else _ASK[language] + _GOALS[language]
        messages: list[Json] = [{"role": "system", "content": asked}, {"role": "user", "content": body.task}]
        wanted = object_of(_PROFILE if model.local else _PROFILE | {"goals": _LIST})
        asking = Asking(model, metering, replace(caller, origin=origin), taken, waits=False)
        found = await asking.constrained(messages, wanted)
    task = body.task or ""
    goals = body.goals or (parts(task) if model.local else _texts(found.get("goals"))) or [task]
    name = body.name or _text(found.get("name"), 80) or _NAME[language]
    role = body.role or _text(found.get("role"), 500) or _ROLE[language]
    return Drafted(name, role, goals, completion_usage(taken.usage), Amount(value=dollars(origin.spent)))


def _text(value: object, most: int) -> str:
    return " ".join(value.split())[:most] if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [text for one in value if (text := _text(one, 2000))][:_MOST_GOALS] if isinstance(value, list) else []
