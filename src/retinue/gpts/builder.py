"""The builder: instructions and functions with which an assistant makes a GPT in conversation.

Small models write whole drafts well where a grammar holds them to a flat schema, and badly where they have to decide
what to do. So they are led, and decide little: the client names the function of each turn (`first` while there is no
draft, `then` from there on), and the function's output tells the model what to ask next. Other models are told what
there is to do, and talk, propose and call as they see fit.
"""

from __future__ import annotations

from typing import Any

from ..wire.gpts import GptContent
from ..wire.gpts_builder import BuilderLanguage, GptBuilder, GptBuilderQuestion
from ..wire.tools import FunctionDefinition, FunctionTool
from .builder_words import DESCRIPTIONS, QUESTIONS, WORDS

#: Fields that the builder writes, in this order: instructions are best written when it is said whom they are for.
_FIELDS = ("name", "description", "category", "instructions", "conversation_starters", "capabilities")
#: Fields that a new draft must have. Small models would switch all capabilities on: clients offer what is spoken of.
_FIRST = _FIELDS[:-1]
#: What is tighter here than what the API takes, so that small models come to an end, and to enough.
_TIGHTER: dict[str, dict[str, Any]] = {
    "name": {"maxLength": 40},
    "description": {"maxLength": 200},
    "conversation_starters": {"minItems": 3, "maxItems": 4},
}
_STARTER = {"maxLength": 120}
#: Characters of instructions: what goes on for ever is to end, and a first draft is not to take minutes.
_LEAST_INSTRUCTIONS, _FIRST_INSTRUCTIONS, _INSTRUCTIONS = 40, 1200, 4000
#: The same of models that are not led.
_INSTRUCTIONS_AT_MOST = 32_000
_CREATE, _UPDATE, _DRAW = "create_gpt", "update_gpt", "draw_picture"
_ADD_ACTION, _USE_ACTIONS, _FORGET_FILES = "add_action", "use_actions", "forget_files"
_MOST_NAMES = 100


def definition(language: BuilderLanguage, image_model: str | None = None, *, led: bool = True) -> GptBuilder:
    """The builder.

    Args:
        language: in which it is told what to do; it answers in the person's.
        led: whether its model is led to calls by prompts, as small ones are.
        image_model: the model that draws pictures, if there is one.
    """
    words = WORDS[language]
    first, then = (_FIRST_INSTRUCTIONS, _INSTRUCTIONS) if led else (_INSTRUCTIONS_AT_MOST, _INSTRUCTIONS_AT_MOST)
    tools = [
        _function(language, _CREATE, _parameters(language, _FIRST, longest=first)),
        _function(language, _UPDATE, _parameters(language, (), longest=then)),
        *(_function(language, name, _object(language, fields)) for name, fields in _MORE.items()),
    ]
    if image_model:
        tools.append(_function(language, _DRAW, _object(language, {"prompt": _text(1000)})))
    return GptBuilder(
        language=language,
        name=words["name"],
        greeting=words["greeting"],
        led=led,
        instructions=words["instructions"].replace("{manner}", words["manner_led" if led else "manner"]),
        tools=tools,
        first=_CREATE,
        then=_UPDATE,
        draft_note=words["draft_note"],
        done_note=words["done_note_led" if led else "done_note"],
        action_note=words["action_note"],
        questions=[GptBuilderQuestion(unless=field, question=question) for field, question in QUESTIONS[language]],
        image_model=image_model,
    )


def _function(language: BuilderLanguage, name: str, parameters: dict[str, Any]) -> FunctionTool:
    described = FunctionDefinition(name=name, description=DESCRIPTIONS[language][name], parameters=parameters)
    return FunctionTool(type="function", function=described)


def _parameters(language: BuilderLanguage, required: tuple[str, ...], *, longest: int) -> dict[str, Any]:
    """The schema of arguments: fields as the API takes them, or tighter; instructions of `longest` characters."""
    known = GptContent.model_json_schema()["properties"]
    fields: dict[str, Any] = {}
    for name in _FIELDS:
        schema = {key: value for key, value in known[name].items() if key not in ("title", "default")}
        schema |= _TIGHTER.get(name, {})
        if name == "instructions":
            schema |= {"minLength": _LEAST_INSTRUCTIONS, "maxLength": longest}
        if name == "conversation_starters":
            schema["items"] = {**schema["items"], **_STARTER}
        fields[name] = {**schema, "description": DESCRIPTIONS[language][name]}
    return {"type": "object", "properties": fields, "required": list(required), "additionalProperties": False}


def _object(language: BuilderLanguage, fields: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The schema of arguments of which each is needed, with what they mean."""
    told = {name: {**schema, "description": DESCRIPTIONS[language][name]} for name, schema in fields.items()}
    return {"type": "object", "properties": told, "required": list(told), "additionalProperties": False}


def _text(most: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most}


_NAMES: dict[str, Any] = {"type": "array", "items": _text(512), "maxItems": _MOST_NAMES}
#: Functions beside those that write and draw, with their arguments.
_MORE: dict[str, dict[str, dict[str, Any]]] = {
    _ADD_ACTION: {"document_url": _text(2048), "action": _text(80)},
    _USE_ACTIONS: {"actions": _NAMES},
    _FORGET_FILES: {"files": _NAMES},
}
