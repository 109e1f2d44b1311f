"""What the builder's model is offered in a turn: functions, and the fields of them, that make sense then."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

#: Words of people who speak of a part of the draft. Of what behaves otherwise people speak without naming a part.
_PARTS = {
    "name": r"\bnam(e|ing)|call it|title|改名|名字|名称|叫",
    "description": r"descri|whom|audience|\bfor\b|描述|简介|介绍|面向|给",
    "category": r"categor|类别|分类",
    "conversation_starters": r"starter|example question|suggestion|opening|开场|示例问题",
}
#: The same of capabilities.
_ABILITIES = {
    "web_browsing": r"\bweb\b|website|internet|online|brows|search|look up|网|搜索|查询|capabilit|能力",
    "code_interpreter": r"\bcode|python|calculat|comput|csv|excel|spreadsheet|\bdata\b|statistic|chart|plot"
    r"|代码|编程|计算|数据|表格|图表|capabilit|能力",
    "image_generation": r"\bdraw|\bimage|picture|illustrat|画|图片|插图|配图|capabilit|能力",
}
_RENAMED = r"call it|rename|改名|名字|叫"
_REMOVES = r"remov|delet|forget|take out|without|删|移除|去掉|忘|不要"
_OF_FILES = r"\bfiles?\b|document|knowledge|文件|文档|知识|资料"
_OF_ACTIONS = r"\bactions?\b|\bapis?\b|\bmcp\b|connection|操作|接口"
#: Addresses in what people write; Chinese follows them without a blank.
_ADDRESS = re.compile(r"https?://[^\s<>\"'`，。；！？、（）]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Offer:
    """A turn of the builder.

    Attributes:
        definition: of the builder, as the API has it.
        draft: of the GPT; None while there is none.
        heard: what the person said, with what they agreed to and with their files.
        words: what the person said, by themselves.
        files: names of the files that the draft knows.
        connections: names of the project's Actions and MCP servers.
        may_connect: whether the person may make new ones.
    """

    definition: Json
    draft: Json | None
    heard: str
    words: str
    files: Collection[str]
    connections: Collection[str]
    may_connect: bool

    @property
    def addresses(self) -> list[str]:
        """What the person has said an OpenAPI document could be fetched from: nothing else is."""
        return [one.rstrip(".,;:!?)") for one in _ADDRESS.findall(self.words)] if self.may_connect else []

    def tools(self) -> list[Json]:
        """The functions. What cannot be called is not told: small models read slowly."""
        writes = self.definition["then" if self.draft else "first"]
        if not self.definition["led"]:
            names = {writes, "draw_picture", "add_action", "use_actions", "forget_files"}
        elif special := self._special():
            names = {special}
        else:
            names = {writes, "draw_picture"} if self.draft else {writes}
        offered = [self._narrowed(tool) for tool in self.definition["tools"] if tool["function"]["name"] in names]
        return [one for one in offered if one]

    def choice(self, tools: Sequence[Json]) -> str | Json:
        """Whether the model has to call one of these functions (`tool_choice`)."""
        if not self.definition["led"]:
            return "auto"
        (tool, *more) = tools
        return "required" if more else {"type": "function", "function": {"name": tool["function"]["name"]}}

    def _special(self) -> str:
        """The one function for what the person speaks of, if it is neither writing nor drawing."""
        if not self.draft:
            return ""
        if self.addresses and self._speaks(_OF_ACTIONS + r"|openapi|swagger|\.json|\.ya?ml"):
            return "add_action"
        if self.files and self._speaks(_REMOVES) and (self._speaks(_OF_FILES) or self._names(self.files)):
            return "forget_files"
        if self.connections and (self._speaks(_OF_ACTIONS) or self._names(self.connections)):
            return "use_actions"
        return ""

    def _narrowed(self, tool: Json) -> Json | None:
        """A function with what can be said in this turn; None where that is nothing."""
        function = tool["function"]
        parameters: Json = function["parameters"]
        name, fields = function["name"], dict(parameters["properties"])
        if name in (self.definition["first"], self.definition["then"]):
            return self._writing(tool) if self.definition["led"] else tool
        choices = {"add_action": self.addresses, "use_actions": self.connections, "forget_files": self.files}
        if name in choices:
            if not choices[name]:
                return None
            field, allowed = next(iter(fields)), {"enum": sorted(set(choices[name]))}
            fields[field] = {**fields[field], **({"items": allowed} if "items" in fields[field] else allowed)}
        return {**tool, "function": {**function, "parameters": {**parameters, "properties": fields}}}

    def _writing(self, tool: Json) -> Json:
        """A function that writes the draft, with the parts of it that the person speaks of.

        Small models write all that they are offered, and nothing that they may leave out: they switch all capabilities
        on, make another GPT of one that was to be renamed, and change nothing where they were asked to.
        """
        name, parameters = tool["function"]["name"], tool["function"]["parameters"]
        able = [one for one, words in _ABILITIES.items() if self._speaks(words)]
        wanted = set(parameters["required"])
        if name == self.definition["then"]:
            wanted = {part for part, words in _PARTS.items() if self._speaks(words)}
            if not self._speaks(_RENAMED):
                wanted.add("instructions")
        fields = {key: value for key, value in parameters["properties"].items() if key in wanted}
        if able:
            # What is on already may stay so.
            able += [one for one in (self.draft or {}).get("capabilities", ()) if one not in able]
            offered = parameters["properties"]["capabilities"]
            fields["capabilities"] = {**offered, "items": {**offered["items"], "enum": able}, "maxItems": len(able)}
        limited = {**parameters, "properties": fields, "required": list(fields)}
        return {**tool, "function": {**tool["function"], "parameters": limited}}

    def _speaks(self, words: str) -> bool:
        return bool(re.search(words, self.heard, re.IGNORECASE))

    def _names(self, names: Collection[str]) -> bool:
        heard = self.heard.casefold()
        return any(name.casefold() in heard for name in names)
