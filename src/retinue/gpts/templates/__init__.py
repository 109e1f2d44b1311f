"""GPTs that are ready to be installed, in English and Chinese: the files beside this one."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

from ...accounts.keys import Caller
from ...errors import NotFound
from ...store.store import Store
from ...wire.gpts import Gpt, GptCreate
from ...wire.gpts_store import GptTemplate
from ..registry import Gpts

Language = Literal["en", "zh"]
LANGUAGES: Sequence[Language] = get_args(Language)
_FILES = resources.files(__name__)


@dataclass(frozen=True, slots=True)
class Template:
    """A template in one language."""

    #: What it is installed by: the name of its file.
    id: str
    language: Language
    #: The GPT that it makes, but for its knowledge.
    gpt: GptCreate
    #: What it knows: texts by the names of their files.
    knowledge: Mapping[str, str]

    def shown(self) -> GptTemplate:
        """The template as clients see it."""
        gpt = self.gpt
        return GptTemplate(
            id=self.id,
            language=self.language,
            name=gpt.name,
            description=gpt.description,
            instructions=gpt.instructions,
            conversation_starters=gpt.conversation_starters,
            category=gpt.category,
            tags=gpt.tags,
            capabilities=list(gpt.capabilities),
            knowledge=list(self.knowledge),
        )


@cache
def templates(language: Language) -> Mapping[str, Template]:
    """All templates in a language, by their ids, in the order of these."""
    found: dict[str, Template] = {}
    for entry in sorted(_FILES.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            identifier = entry.name.removesuffix(".toml")
            found[identifier] = _read(identifier, language, tomllib.loads(entry.read_text(encoding="utf-8")))
    return found


def _read(identifier: str, language: Language, kept: dict[str, Any]) -> Template:
    common = {key: value for key, value in kept.items() if key not in (*LANGUAGES, "knowledge")}
    own = {key: value.strip() if key == "instructions" else value for key, value in kept[language].items()}
    knowledge: dict[str, str] = {}
    for name in kept.get("knowledge", []):
        stem, _, ending = name.rpartition(".")
        file = _FILES.joinpath("knowledge", f"{stem}.{language}.{ending}")
        knowledge[name] = file.read_text(encoding="utf-8")
    return Template(identifier, language, GptCreate.model_validate({**common, **own, "language": language}), knowledge)


async def install(store: Store, gpts: Gpts, caller: Caller, name: str, language: Language) -> Gpt:
    """Make a GPT of a template: a draft of the caller's.

    Args:
        store: where its knowledge is kept, as files that the caller has uploaded.
        gpts: where the GPT is made.
        caller: who wants it.
        name: the template's id.
        language: in which language.

    Raises:
        NotFound: there is no such template; or no model `default`.
        InvalidRequest: the project may not store so much.
    """
    template = templates(language).get(name)
    if template is None:
        raise NotFound(f"No template found with id '{name}'.")
    files: list[str] = []
    try:
        for filename, text in template.knowledge.items():
            files.append((await store.files.keep(caller.project, text.encode(), filename, "assistants")).id)
        return await gpts.create(caller, template.gpt.model_copy(update={"knowledge": files}))
    except BaseException:
        for file in files:
            with contextlib.suppress(NotFound):
                await store.files.delete(caller.project, file)
        raise
