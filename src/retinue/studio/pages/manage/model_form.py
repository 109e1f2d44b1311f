"""The form of a model: its name, what serves it, and what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui import background_tasks, ui

from ...elements.controls import plain, symbol
from ...elements.dialogs import form
from ...visitor import Visitor
from .common import ORGANIZATION, Json, filled, written

#: Weights that come by name.
_WEIGHTS = {
    "local": ("qwen2.5-coder-1.5b-instruct", "qwen2.5-coder-0.5b-instruct"),
    "embedder": ("universal-sentence-encoder-multilingual", "multilingual-e5-small"),
}
_BACKENDS = ("openai", *_WEIGHTS)
_TOOLS = ("", "native", "prompted")
_ROLES = ("default", "default-embedding", "default-reranker", "default-moderation", "default-image")
_MOST_SERVERS = 32


def edit_model(
    visitor: Visitor, model: Json | None, known: Mapping[str, Json], saved: Callable[[str], Awaitable[None]]
) -> None:
    """Ask for a new model, or for changes of one.

    Args:
        visitor: who is asked.
        model: as it is; None: a new one.
        known: models whose names are taken, unless they come with Retinue.
        saved: is told the name when it is done.
    """
    text = visitor.text
    title = text("manage.edit_of", name=model["id"]) if model else text("models.add")

    def fill() -> Callable[[], Awaitable[object]]:
        fields = _Form(visitor, model, known)

        async def save() -> object:
            body = fields.body()
            if body is None:
                return False
            await visitor.post(f"{ORGANIZATION}/models", body)
            # The dialog need not wait for the test.
            background_tasks.create(_later(fields.slot, saved, body["name"]))
            return True

        return save

    form(visitor, title, text("models.save"), fill)


async def _later(slot: Any, saved: Callable[[str], Awaitable[None]], name: str) -> None:
    await asyncio.sleep(0)
    with slot:
        await saved(name)


class _Form:
    """The fields."""

    def __init__(self, visitor: Visitor, model: Json | None, known: Mapping[str, Json]) -> None:
        self._visitor, self._model, self._known = visitor, model, known
        #: The page: it outlives the dialog.
        self.slot = ui.context.client.content
        text, now = visitor.text, model or {}
        self._name = ui.input(text("models.name"), value=now.get("id", "")).props("outlined dense maxlength=256")
        self._name.props("autocomplete=off spellcheck=false")
        if model:
            self._name.props("readonly")
        else:
            self._name.props("autofocus bottom-slots")
            self._name.props["hint"] = text("models.name_hint")
        backends = {one: text(f"models.backend_{one}") for one in _BACKENDS}
        self._backend = ui.select(backends, value=now.get("backend", "openai"), label=text("models.backend"))
        self._backend.props("outlined dense")
        self._servers = _Servers(visitor, now.get("servers") or [])
        self._servers.element.bind_visibility_from(self._backend, "value", value="openai")
        self._served_name = ui.input(text("models.served_name"), value=now.get("served_name") or "")
        self._served_name.props("outlined dense maxlength=256 autocomplete=off")
        self._served_name.bind_visibility_from(self._backend, "value", value="openai")
        self._weights: dict[str, ui.select] = {}
        #: What the model has now; those that come by no name can be kept, and not be chosen anew.
        self._weights_before = (now["weights"] or now["id"]) if now.get("backend") in _WEIGHTS else None
        for backend, names in _WEIGHTS.items():
            value = self._weights_before if now.get("backend") == backend else names[0]
            offered = list(dict.fromkeys((value, *names)))
            field = ui.select(offered, value=value, label=text("models.weights_label")).props("outlined dense")
            self._weights[backend] = field.bind_visibility_from(self._backend, "value", value=backend)
        self._more(now)

    def _more(self, now: Json) -> None:
        text = self._visitor.text
        with ui.element("div").classes("pair"):
            context = now.get("context_length", 8192)
            self._context = ui.number(text("models.context_label"), value=context, min=512, format="%d")
            tools = {one: text(f"models.tools_{one}") for one in _TOOLS}
            self._tools_before = (now.get("tools") or "") if now else ""
            self._tools = ui.select(tools, value=self._tools_before, label=text("models.tools"))
            prices = [now.get(name) or None for name in ("input_price", "output_price")]
            self._prices = {
                name: ui.number(text(f"models.{name}"), value=price, min=0)
                for name, price in zip(("input_price", "output_price"), prices, strict=True)
            }
            for field in (self._context, self._tools, *self._prices.values()):
                field.props("outlined dense")
        roles = {role: text(f"models.{role}") for role in _ROLES}
        self._roles_before = list(now.get("default_for", []))
        self._roles = ui.select(roles, value=self._roles_before, label=text("models.default_for"), multiple=True)
        self._roles.props("outlined dense use-chips")

    def body(self) -> dict[str, Any] | None:
        """What to send; None where something is missing."""
        name, backend = filled(self._visitor, self._name), self._backend.value
        taken = self._known.get(name)
        if taken and taken["source"] == "file":
            self._name.error = self._visitor.text("models.name_taken")
        body: dict[str, Any] = {"name": name, "backend": backend}
        if backend == "openai":
            servers = self._servers.body()
            if servers is None:
                return None
            body |= {**servers, "served_name": written(self._served_name) or None}
            if self._model and self._model["backend"] != "openai":
                body["weights"] = None
        else:
            if (weights := self._weights[backend].value) != self._weights_before:
                body["weights"] = weights
            if self._model and self._model["backend"] == "openai":
                body |= {"base_url": None, "upstreams": None, "api_key": None, "served_name": None}
        if self._context.value:
            body["context_length"] = int(self._context.value)
        if self._tools.value != self._tools_before:
            body["tools"] = self._tools.value or None
        for price, field in self._prices.items():
            body[price] = field.value
        if added := [role for role in self._roles.value if role not in self._roles_before]:
            body["default_for"] = added
        return None if self._name.error else body


class _Servers:
    """One server, or several."""

    def __init__(self, visitor: Visitor, servers: list[Json]) -> None:
        self._visitor = visitor
        self.element = ui.element("div").classes("stack")
        self._rows: list[_Server] = []
        with self.element:
            self._list = ui.element("div").classes("stack")
            self._hint = ui.label(visitor.text("models.servers_hint")).classes("quiet small")
            with ui.element("div"):
                plain(visitor.text("models.more_servers"), lambda: self._add({}), icon="add")
        for server in servers or [{}]:
            self._add(server)

    def _add(self, server: Json) -> None:
        if len(self._rows) >= _MOST_SERVERS:
            return
        with self._list:
            row = _Server(self._visitor, server, len(self._rows) + 1, self._remove)
        self._rows.append(row)
        self._look()

    def _remove(self, row: _Server) -> None:
        self._rows.remove(row)
        row.element.delete()
        self._look()

    def _look(self) -> None:
        several = len(self._rows) > 1
        self._hint.set_visibility(several)
        for row in self._rows:
            row.shares.set_visibility(several)

    def body(self) -> dict[str, Any] | None:
        """The servers as the API takes them; None where an address is missing."""
        bodies = [row.body() for row in self._rows]
        if any(not one["base_url"] for one in bodies):
            return None
        if len(bodies) > 1:
            return {"upstreams": bodies}
        return {name: bodies[0][name] for name in ("base_url", "api_key") if name in bodies[0]}


class _Server:
    """The fields of a server."""

    def __init__(self, visitor: Visitor, server: Json, number: int, remove: Callable[[_Server], None]) -> None:
        self._visitor, text = visitor, visitor.text
        with ui.element("div").classes("server-fields") as self.element:
            self._url = ui.input(text("models.base_url"), value=server.get("base_url", ""))
            self._url.props('outlined dense maxlength=2048 autocomplete=off placeholder="http://127.0.0.1:9100/v1"')
            known = server.get("has_api_key")
            self._key = ui.input(text("models.key_kept" if known else "models.key"), password=True)
            self._key.props("outlined dense maxlength=4096 autocomplete=new-password")
            with ui.element("div").classes("shares") as self.shares:
                self._tier = ui.number(text("models.tier_label"), value=server.get("tier", 0), min=0, format="%d")
                self._weight = ui.number(text("models.weight_label"), value=server.get("weight", 1), min=0)
                for field in (self._tier, self._weight):
                    field.props("outlined dense")
                symbol("delete", text("models.less_servers", number=number), lambda: remove(self))

    def body(self) -> dict[str, Any]:
        """This server as the API takes it."""
        body: dict[str, Any] = {"base_url": filled(self._visitor, self._url)}
        if key := written(self._key):
            body["api_key"] = key
        return {**body, "tier": int(self._tier.value or 0), "weight": float(self._weight.value or 1)}
