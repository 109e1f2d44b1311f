"""The page of models: what there is, how its servers fare, and asking them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from nicegui import ui

from ...elements.controls import heading, plain, primary
from ...elements.dialogs import question, working
from ...elements.moment import Moment
from ...visitor import Visitor
from .common import ORGANIZATION, Json, page
from .model_form import edit_model

_MODELS = f"{ORGANIZATION}/models"
_KINDS = ("", "chat", "embeddings", "reranking", "moderations")
#: Aliases that are named; the old OpenAI names are many.
_NAMED = 6
#: Classes by how a server fares.
_HEALTH = {"well": "good", "resting": "wrong", "failing": "wrong"}
_STATES = {"ready": "good", "failed": "wrong"}


class _Models:
    """All models."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor, text = visitor, visitor.text
        with ui.element("div").classes("top"):
            heading(text("models.title"))
            primary(text("models.add"), self._add)
        ui.label(text("models.hint")).classes("lead")
        self._list = ui.element("div").classes("stack")
        self._known: list[Json] = []
        #: Where what came of a test is shown, by model.
        self._results: dict[str, ui.element] = {}
        self._heads: dict[str, ui.element] = {}

    async def show(self) -> None:
        """Show what is there now."""
        found: list[Json] = (await self._visitor.get(_MODELS))["data"]
        # What somebody has configured comes first, and the default before it.
        self._known = sorted(found, key=lambda one: (not one["default_for"], one["source"] == "built_in", one["id"]))
        self._list.clear()
        self._results.clear()
        with self._list:
            for model in self._known:
                self._show(model)

    def _show(self, model: Json) -> None:
        text, name = self._visitor.text, model["id"]
        with ui.element("section").classes("card") as card:
            card.props["aria-label"] = name
            with ui.element("div").classes("model-head"):
                heading(name, 2)
                for role in model["default_for"]:
                    ui.label(text(f"models.{role}")).classes("pill")
                ui.element("div").classes("grow")
                self._buttons(model)
            self._facts(model)
            self._heads[name] = ui.element("div").classes("servers")
            self._health(model)
            self._results[name] = ui.element("div").props("aria-live=polite")

    def _buttons(self, model: Json) -> None:
        text, name = self._visitor.text, model["id"]
        if not name.endswith("*") and model["backend"] != "diffusion":
            kind = None
            if model["backend"] == "openai":
                kinds = {one: text(f"models.kind_{one}") for one in _KINDS}
                kind = ui.select(kinds, value="").props("outlined dense")
                kind.props["aria-label"] = text("models.kind_of", name=name)
            test = plain(text("models.test"))
            test.props["aria-label"] = text("models.test_of", name=name)
            test.on_click(lambda: self._test(name, (kind.value if kind else "") or None, test))
        if model["source"] == "file":
            if model["backend"] != "diffusion":
                change = plain(text("manage.edit"), lambda: self._edit(model))
                change.props["aria-label"] = text("manage.edit_of", name=name)
            remove = plain(text("manage.remove"), self._removing(name))
            remove.props["aria-label"] = text("manage.remove_of", name=name)

    def _facts(self, model: Json) -> None:
        text = self._visitor.text
        facts = [text(f"models.backend_{model['backend']}"), text(f"models.source_{model['source']}")]
        if model["weights"]:
            facts.append(text("models.weights", name=model["weights"]))
        if model["backend"] in ("openai", "local"):
            facts.append(text("models.context", count=f"{model['context_length']:,}"))
            if model["tools"] == "prompted":
                facts.append(text("models.prompted"))
        if model["input_price"] or model["output_price"]:
            prices = {"input": f"{model['input_price']:g}", "output": f"{model['output_price']:g}"}
            facts.append(text("models.price", **prices))
        if aliases := model["aliases"]:
            names = ", ".join(aliases[:_NAMED])
            if len(aliases) > _NAMED:
                names += " " + text("models.and_more", count=len(aliases) - _NAMED)
            facts.append(text("models.aliases", names=names))
        with ui.element("div").classes("facts"):
            for fact in facts:
                ui.label(fact)

    def _health(self, model: Json) -> None:
        text, place = self._visitor.text, self._heads[model["id"]]
        place.clear()
        with place:
            if model["state"]:
                ui.label(text(f"models.state_{model['state']}")).classes(_STATES.get(model["state"], "quiet"))
            several = len(model["servers"]) > 1
            for server in model["servers"]:
                with ui.element("div").classes("server"):
                    ui.label(server["base_url"]).classes("mono")
                    ui.label(text(f"models.{server['health']}", count=server["failures"])).classes(
                        _HEALTH[server["health"]]
                    )
                    if server["failed_at"]:
                        Moment(self._visitor, server["failed_at"])
                    ui.label(text("models.with_key" if server["has_api_key"] else "models.without_key")).classes(
                        "quiet"
                    )
                    if several:
                        ui.label(text("models.tier", tier=server["tier"])).classes("quiet")
                        ui.label(text("models.weight", weight=f"{server['weight']:g}")).classes("quiet")

    async def _test(self, name: str, kind: str | None, button: ui.button | None = None) -> None:
        text, place = self._visitor.text, self._results[name]
        place.clear()
        with place:
            ui.label(text("models.testing")).classes("result quiet")
        path = f"{_MODELS}/{quote(name, safe='/')}"
        try:
            if button:
                with working(button):
                    found = await self._visitor.post(f"{path}/test", {"kind": kind})
            else:
                found = await self._visitor.post(f"{path}/test", {"kind": kind})
        finally:
            place.clear()
        with place:
            for one in found["results"]:
                self._result(one, several=len(found["results"]) > 1)
        self._health(await self._visitor.get(path))

    def _result(self, one: Json, *, several: bool) -> None:
        text = self._visitor.text
        with ui.element("div").classes("result"):
            said = "models.answered" if one["ok"] else "models.failed"
            with ui.element("div").classes("server"):
                ui.label(text(said, ms=f"{one['latency_ms']:,}")).classes("good" if one["ok"] else "wrong")
                if several:
                    ui.label(one["base_url"]).classes("mono quiet")
            ui.label(one["answer"] if one["ok"] else one["error"])

    # --- changes

    def _add(self) -> None:
        edit_model(self._visitor, None, {one["id"]: one for one in self._known}, self._saved)

    def _edit(self, model: Json) -> None:
        edit_model(self._visitor, model, {}, self._saved)

    async def _saved(self, name: str) -> None:
        await self.show()
        if not name.endswith("*"):
            await self._test(name, None)

    def _removing(self, name: str) -> Callable[[], None]:
        text = self._visitor.text

        async def remove() -> None:
            await self._visitor.delete(f"{_MODELS}/{quote(name, safe='/')}")
            await self.show()

        title = text("models.remove_question", name=name)
        return lambda: question(self._visitor, title, text("models.remove_hint"), text("manage.remove"), remove)


async def _build(visitor: Visitor) -> None:
    await _Models(visitor).show()


PAGES = (page("/models", "models.title", "memory", _build),)
