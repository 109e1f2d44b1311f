"""The builder's side that people do not see: its assistant, its thread, and the functions that it calls."""

# pyright: reportDeprecated=false
from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import openai
from openai.types.beta.threads import RequiredActionFunctionToolCall

from ...elements.attaching import PICTURES, Chosen
from ...elements.turn import names_of
from ...frame import message_of
from ...visitor import Visitor
from ..chat.choices import BUILDER_KEY
from .offer import Offer

#: What the builder's assistant was made of, among its metadata beside `BUILDER_KEY`, which has its language.
_MADE_OF = "gpt_builder_definition"
#: Keys of a thread's metadata: whose talk it is, and the GPT that it made.
_WHOSE, _GPT = "gpt_builder_of", "gpt"
#: Assistants that are looked through for the builder; connections of a project that it is told of.
_MOST, _MOST_CONNECTIONS = 500, 100
#: Operations of a new Action that it is told of.
_MOST_OPERATIONS = 20
#: Fields of a draft that the builder is told.
_TOLD = ("name", "description", "category", "instructions", "conversation_starters", "capabilities")
#: Fields that a builder empties by mistake only.
_NEVER_EMPTY = ("name", "description", "instructions")
#: Texts of which small models write what stands in the schema instead of their own.
_COPIED = ("description", "instructions")
_TEMPERATURE = 0.3
#: What wishes nothing: questions, thanks, and "nothing" as an answer.
_NO_WISH = re.compile(
    r"[?？]|thank|\b(none|nothing|fine|good|great|perfect)\b|谢|没有|不用|不需要|很好|不错", re.IGNORECASE
)
_AGREES = re.compile(r"\W*(yes|yeah|sure|both|please|ok|是|好|可以|都|要|行|对)", re.IGNORECASE)
_YES_OR_NO = re.compile(r"^\W*(yes\b|no\b|okay\b|ok\b|please\b|是的|好的|请)[\s,.!，。！]*", re.IGNORECASE)
#: Words, each Chinese character being one, that a wish has at least.
_LEAST_WISH = 3
_SENTENCE = re.compile(r"[.!?](?=\s|$)|[。！？]")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


class Builder:
    """One talk in which a GPT is made or changed."""

    def __init__(self, visitor: Visitor) -> None:
        """Nothing is known before `load`."""
        self._visitor = visitor
        self._threads = visitor.client.beta.threads
        self._assistant = ""
        self.definition: Mapping[str, Any] = {}
        #: As the API has it; None while there is no draft.
        self.gpt: dict[str, Any] | None = None
        #: The id of the talk's thread; "" before the first message.
        self.thread = ""
        #: Names of files, by their ids.
        self.names: dict[str, str] = {}
        #: Fields that have changed since the person spoke last, in the order in which they did.
        self.changed: list[str] = []
        #: How often the person has spoken.
        self.turns = 0
        self._early: dict[str, Any] = {}
        #: Names of the project's Actions and MCP servers, by their ids.
        self._connections: dict[str, str] = {}
        #: What was asked last, and what the person said then, with what they agreed to and with their files.
        self._question, self._heard = "", ""
        #: What the person said, by themselves.
        self._words = ""

    @property
    def name(self) -> str:
        """What the builder is called."""
        return self.definition["name"]

    @property
    def every_name(self) -> Mapping[str, str]:
        """Names of files and connections, by their ids."""
        return {**self.names, **self._connections}

    async def load(self, gpt: str = "", thread: str = "") -> None:
        """Ask for what there is: the definition, the GPT with this id or slug, and the last talk about it.

        Raises:
            openai.APIError: there is no such GPT or thread.
        """
        self.definition = await self._visitor.get("/gpts/builder", language=self._visitor.language)
        if thread:
            found = await self._visitor.get(f"/threads/{thread}")
            metadata = found["metadata"] or {}
            self.thread = thread if metadata.get(_WHOSE) == self._me else ""
            gpt = gpt or metadata.get(_GPT, "")
        if gpt:
            await self._look_around()
            await self.refresh(gpt)
        if self.gpt and not self.thread:
            query = {f"metadata[{_WHOSE}]": self._me, f"metadata[{_GPT}]": self.gpt["id"]}
            talks = (await self._visitor.get("/threads", **query, limit=1))["data"]
            self.thread = talks[0]["id"] if talks else ""

    @property
    def _me(self) -> str:
        return self._visitor.me["user"]["id"]

    async def refresh(self, gpt: str = "") -> None:
        """Ask how the draft is now: it may have been changed elsewhere. Raises `openai.APIError`."""
        if name := gpt or (self.gpt or {}).get("id"):
            self.gpt = await self._visitor.get(f"/gpts/{name}")
            self.names = await names_of(
                self._visitor, set((self.gpt or {}).get("draft", {}).get("knowledge", ())), self.names
            )

    # The talk

    async def say(self, text: str, *taken: str) -> Any:
        """Put what the person says into the thread, which is made if it is the first; returns the message.

        Args:
            text: the person's words.
            taken: what there is to say of files that came with them.
        """
        if not self.thread:
            metadata = {_WHOSE: self._me, **({_GPT: self.gpt["id"]} if self.gpt else {})}
            self.thread = (await self._threads.create(metadata=metadata)).id
        message = await self._threads.messages.create(
            self.thread, role="user", content="\n\n".join(filter(None, (text.strip(), *taken)))
        )
        # "Yes" is about what was asked.
        asked = self._question if _AGREES.match(text) else ""
        self._heard, self._words = " ".join((asked, text, *taken)), text.strip()
        self.changed, self.turns = [], self.turns + 1
        self._question = self.question()
        return message

    def recall(self, turns: int) -> None:
        """Go on with a talk in which the person has spoken so often."""
        self.turns = turns
        self._question = self.question() if turns else ""

    async def ask(self, text: str) -> Any:
        """Put what the builder should have said into the thread; returns the message."""
        return await self._threads.messages.create(self.thread, role="assistant", content=text)

    def question(self) -> str:
        """What is to be asked after this turn."""
        draft = (self.gpt or {}).get("draft") or {}
        fit = [
            one["question"] for one in self.definition["questions"] if not (one["unless"] and draft.get(one["unless"]))
        ]
        return fit[min(max(self.turns, 1), len(fit)) - 1]

    async def options(self) -> dict[str, Any]:
        """What the run of a turn is started with, but for the thread. Raises `openai.APIError`."""
        known, draft = self.definition, (self.gpt or {}).get("draft")
        await self._look_around()
        more: dict[str, Any] = {}
        if draft:
            told = {key: draft[key] for key in _TOLD}
            told["knowledge"] = self._known()
            if used := [self._connections.get(one, one) for one in draft["connections"]]:
                told["actions"] = used
            more["additional_instructions"] = known["draft_note"].replace(
                "{draft}", json.dumps(told, ensure_ascii=False)
            )
        offer = self._offer()
        tools = offer.tools()
        if known["led"]:
            more["temperature"] = _TEMPERATURE
        return {
            "tool_choice": offer.choice(tools),
            "instructions": known["instructions"],
            "tools": tools,
            "parallel_tool_calls": False,
            **more,
        }

    def _offer(self) -> Offer:
        return Offer(
            self.definition,
            (self.gpt or {}).get("draft"),
            self._heard,
            self._words,
            self._known(),
            list(self._connections.values()),
            may_connect=self._visitor.administers_connections,
        )

    def _known(self) -> list[str]:
        """Names of the files that the draft knows."""
        files: list[str] = ((self.gpt or {}).get("draft") or {}).get("knowledge") or []
        return [self.names.get(one, one) for one in files]

    async def _look_around(self) -> None:
        connections = (await self._visitor.get("/connections", limit=_MOST_CONNECTIONS))["data"]
        self._connections = {one["id"]: one["name"] for one in connections}

    async def assistant(self) -> str:
        """The id of the builder's assistant: made once in a project and language, and kept as the definition has it.

        Raises:
            openai.APIError: it cannot be made.
        """
        if self._assistant:
            return self._assistant
        known, assistants = self.definition, self._visitor.client.beta.assistants
        stamp = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]
        metadata = {BUILDER_KEY: known["language"], _MADE_OF: stamp}
        fields: Any = {"instructions": known["instructions"], "tools": known["tools"], "metadata": metadata}
        looked = 0
        async for one in assistants.list(limit=100, order="desc"):
            looked += 1
            if (one.metadata or {}).get(BUILDER_KEY) == known["language"]:
                if (one.metadata or {}).get(_MADE_OF) != stamp:
                    await assistants.update(one.id, name=self.name, **fields)
                self._assistant = one.id
                break
            if looked >= _MOST:
                break
        if not self._assistant:
            self._assistant = (await assistants.create(model="default", name=self.name, **fields)).id
        return self._assistant

    # Changing the draft

    async def answer(self, call: RequiredActionFunctionToolCall) -> str:
        """Do what the builder calls for, with the person's rights; returns the function's output.

        What the API refuses is told to the builder.

        Raises:
            openai.APIError: the person is signed out, or the server does not answer.
        """
        try:
            arguments = json.loads(call.function.arguments)
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            return "Error: the arguments are no JSON object. Call the function again with one."
        try:
            said = await self._do(call.function.name, cast(Any, arguments))
        except openai.AuthenticationError:
            raise
        except openai.APIStatusError as error:
            if error.status_code >= 500:
                raise
            where = f"'{error.param}': " if error.param else ""
            return f"Error: {where}{message_of(error)} Correct that, and call the function again."
        fields = ", ".join(self._visitor.text(f"gpt_builder.{one}") for one in self.changed)
        note = self.definition["done_note"].replace("{changed}", fields or self._visitor.text("gpt_builder.none"))
        return "\n".join(filter(None, (note.replace("{question}", self.question()), said)))

    async def _do(self, function: str, arguments: dict[str, Any]) -> str:
        """Do what a function stands for; returns what there is to say of it beside what has changed."""
        match function:
            case "draw_picture":
                await self._draw(str(arguments.get("prompt") or ""))
            case "add_action":
                return await self._add_action(
                    str(arguments.get("document_url") or ""), str(arguments.get("action") or "")
                )
            case "use_actions":
                names = _texts(arguments.get("actions"))
                await self.change({"connections": [key for key, name in self._connections.items() if name in names]})
            case "forget_files":
                names = _texts(arguments.get("files"))
                known = ((self.gpt or {}).get("draft") or {}).get("knowledge", ())
                await self.change({"knowledge": [one for one in known if self.names.get(one, one) not in names]})
            case _ if function != self.definition["first"] or self.gpt is None:
                # Small models sometimes make the same draft twice.
                await self._write(self._whole(function, arguments))
            case _:
                pass
        return ""

    async def _add_action(self, address: str, name: str) -> str:
        """Make an Action of an OpenAPI document, and let the GPT use it; returns what it can do."""
        if address not in self._offer().addresses:
            # What a model makes up, or has read somewhere, is fetched from nowhere.
            return "Error: the person has not given this address."
        body = {"type": "action", "document_url": address, **({"name": name} if name.strip() else {})}
        made = await self._visitor.post("/connections", body)
        self._connections[made["id"]] = made["name"]
        used = ((self.gpt or {}).get("draft") or self._early).get("connections", ())
        await self.change({"connections": [*used, made["id"]]})
        tools = (await self._visitor.get(f"/connections/{made['id']}/tools"))["data"]
        names = ", ".join(one["name"] for one in tools[:_MOST_OPERATIONS])
        return self.definition["action_note"].replace("{operations}", names)

    def _whole(self, function: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments without texts of the schema; instructions cut off at the most characters end at a sentence."""
        tool = next((one["function"] for one in self.definition["tools"] if one["function"]["name"] == function), None)
        if tool is None:
            return arguments
        known = tool["parameters"]["properties"]
        arguments = {key: value for key, value in arguments.items() if not _is_copied(key, value, known)}
        text = arguments.get("instructions")
        if isinstance(text, str) and len(text) >= known["instructions"]["maxLength"]:
            ends = [found.end() for found in _SENTENCE.finditer(text)]
            arguments = {**arguments, "instructions": text[: ends[-1]] if ends else text}
        return arguments

    async def _write(self, fields: dict[str, Any]) -> None:
        wanted = {key: _tidy(value) for key, value in fields.items()}
        wanted = {key: value for key, value in wanted.items() if value or key not in _NEVER_EMPTY}
        if self.gpt:
            before = self.gpt["draft"]["instructions"]
            await self.change(wanted)
            if not self.changed and wanted.get("instructions") == before and (wish := self._wish()):
                # Asked for another way to answer, small models write the instructions again as they are.
                await self.change({"instructions": f"{before}\n{wish}"})
            return
        chinese = _CHINESE.search(f"{wanted.get('name')}{wanted.get('description')}")
        language = "zh" if chinese else "en"
        made = await self._visitor.post("/gpts", {"language": language, **wanted, **self._early})
        self.changed += [one for one in (*wanted, *self._early) if one not in self.changed]
        self.gpt, self._early = made, {}
        metadata = {_WHOSE: self._me, _GPT: made["id"]}
        await self._visitor.post(f"/threads/{self.thread}", {"metadata": metadata})

    def _wish(self) -> str:
        """What the person said, as a line for the instructions; "" where it wishes nothing."""
        wish = _YES_OR_NO.sub("", self._words)
        least = len(_CHINESE.findall(wish)) + len(_CHINESE.sub(" ", wish).split()) >= _LEAST_WISH
        return wish if least and not _NO_WISH.search(wish) else ""

    async def change(self, fields: Mapping[str, Any]) -> None:
        """Change the draft, or what will be in it. Raises `openai.APIError`."""
        if self.gpt is None:
            self._early |= fields
            return
        draft = self.gpt["draft"]
        wanted = {key: value for key, value in fields.items() if draft.get(key, ...) != value}
        if wanted:
            self.gpt = await self._visitor.post(f"/gpts/{self.gpt['id']}", wanted)
            self.changed += [one for one in wanted if one not in self.changed]

    async def _draw(self, prompt: str) -> None:
        image = await self._visitor.client.images.generate(
            model=self.definition["image_model"], prompt=prompt, response_format="b64_json"
        )
        data = base64.b64decode((image.data or [])[0].b64_json or "")
        file = await self._visitor.client.files.create(file=("picture.png", data, "image/png"), purpose="vision")
        await self.change({"picture": file.id})

    async def take(self, files: Sequence[Chosen]) -> list[str]:
        """Upload what the person gives: files become knowledge, a picture the GPT's picture.

        Returns:
            what to say of it.

        Raises:
            openai.APIError: a file was refused. Those before it are taken.
        """
        text, known = self._visitor.text, list(((self.gpt or {}).get("draft") or self._early).get("knowledge", ()))
        said: list[str] = []
        learned: list[str] = []
        for file in files:
            picture = file.kind in PICTURES
            content = (file.name, file.data, file.kind or "application/octet-stream")
            made = await self._visitor.client.files.create(file=content, purpose="vision" if picture else "assistants")
            self.names[made.id] = file.name
            if picture:
                await self.change({"picture": made.id})
                said.append(text("gpt_builder.pictured", name=file.name))
            else:
                known.append(made.id)
                learned.append(file.name)
        if learned:
            await self.change({"knowledge": known})
            said.append(text("gpt_builder.knows", names=", ".join(learned)))
        return said


def _is_copied(field: str, value: Any, known: Mapping[str, Any]) -> bool:
    """Whether it is a piece of what the schema says of the field."""
    if field not in _COPIED or not isinstance(value, str):
        return False
    return value.strip(" .。").casefold() in known[field]["description"].casefold()


def _texts(value: Any) -> list[str]:
    """The texts of a list, if it is one."""
    return [one for one in cast("list[Any]", value) if isinstance(one, str)] if isinstance(value, list) else []


def _tidy(value: Any) -> Any:
    """Without blanks around texts, and without what is empty or twice in lists."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        items = [one.strip() if isinstance(one, str) else one for one in cast("list[Any]", value)]
        return [one for at, one in enumerate(items) if one and one not in items[:at]]
    return value
