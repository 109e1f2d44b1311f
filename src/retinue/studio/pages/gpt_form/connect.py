"""New Actions: an OpenAPI document, and how its service is authenticated with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui import ui

from ...elements.dialogs import form
from ...visitor import Visitor
from .common import hint

Json = Mapping[str, Any]
#: Characters of a document: the API's own limit.
_LONGEST = 1024 * 1024
_KINDS = ("none", "api_key", "basic", "oauth")
#: Where a key is sent, and whether the word Bearer stands before it.
_PLACES = ("bearer", "header", "query", "cookie")
#: What an OAuth authentication has beside the fields.
_BESIDE = ("flow", "token_endpoint_auth_method")


def new_action(visitor: Visitor, on_made: Callable[[Json], Awaitable[None]]) -> None:
    """Ask for a new Action.

    Args:
        visitor: who adds it; administers connections.
        on_made: is given it.
    """
    text = visitor.text

    def fill() -> Callable[[], Awaitable[object]]:
        source = ui.toggle({"address": text("gpt_form.from_address"), "text": text("gpt_form.from_text")})
        source.props("no-caps unelevated dense").classes("gpt-toggle").set_value("address")
        source.props["aria-label"] = text("gpt_form.source")
        address = _input(text("gpt_form.document_url"))
        address.bind_visibility_from(source, "value", value="address")
        pasted = ui.textarea(text("gpt_form.document")).classes("wide")
        pasted.props(f"outlined dense rows=8 input-class=mono maxlength={_LONGEST} spellcheck=false")
        pasted.bind_visibility_from(source, "value", value="text")
        name = _input(text("gpt_form.action_name"))
        auth = Auth(visitor)
        policy = _input(text("gpt_form.privacy_policy_url"))

        async def make() -> object:
            field = address if source.value == "address" else pasted
            written = (field.value or "").strip()
            field.error = None if written else text("manage.needed")
            if not written or (given := auth.read()) is None:
                return False
            body = {
                "type": "action",
                "document_url" if source.value == "address" else "document": written,
                "auth": given,
                "name": (name.value or "").strip() or None,
                "privacy_policy_url": (policy.value or "").strip() or None,
            }
            made = await visitor.post("/connections", {key: value for key, value in body.items() if value})
            await on_made(made)
            return True

        return make

    form(visitor, text("gpt_form.add_action"), text("gpt_form.add"), fill, text("gpt_form.add_action_hint"))


def change_auth(visitor: Visitor, connection: Json, on_changed: Callable[[Json], None]) -> None:
    """Ask how a connection is to authenticate from now on.

    Args:
        visitor: who sets it; administers connections.
        connection: as the API shows it.
        on_changed: is given it as it is then.
    """
    text = visitor.text

    def fill() -> Callable[[], Awaitable[object]]:
        auth = Auth(visitor, connection["auth"])

        async def change() -> object:
            if (given := auth.read()) is None:
                return False
            on_changed(await visitor.post(f"/connections/{connection['id']}", {"auth": given}))
            return True

        return change

    title = text("gpt_form.authentication_of", name=connection["name"])
    form(visitor, title, text("frame.save"), fill, text("gpt_form.authentication_hint"))


class Auth:
    """The fields of an authentication."""

    def __init__(self, visitor: Visitor, now: Json | None = None) -> None:
        """Built in the current slot; `now` is the one to begin with, without its secrets."""
        self._visitor, text = visitor, visitor.text
        now = now or {"type": "none"}
        #: What the fields do not show, and is to stay as it is.
        self._beside = {name: now[name] for name in _BESIDE if now["type"] == "oauth" and name in now}
        kinds = {one: text(f"gpt_form.auth_{one}") for one in _KINDS}
        self._kind = ui.select(kinds, value=now["type"], label=text("gpt_form.authentication"))
        self._kind.props("outlined dense").classes("wide")
        with self._part("api_key"):
            places = {one: text(f"gpt_form.key_{one}") for one in _PLACES}
            place = _place_of(now)
            self._place = ui.select(places, value=place, label=text("gpt_form.key_place"))
            self._place.props("outlined dense").classes("wide")
            self._key_name = _input(text("gpt_form.key_name"), now.get("name") if place != "bearer" else "")
            self._prefix = _input(text("gpt_form.key_prefix"), now.get("prefix") if place != "bearer" else "")
            self._prefix.props("maxlength=64")
            for one in (self._key_name, self._prefix):
                one.bind_visibility_from(self._place, "value", backward=lambda value: value != "bearer")
            self._key = _secret(text("gpt_form.key"))
        with self._part("basic"):
            self._user = _input(text("gpt_form.username"), now.get("username"))
            self._password = _secret(text("gpt_form.password"))
        with self._part("oauth"):
            self._client = _input(text("gpt_form.client_id"), now.get("client_id"))
            self._client_secret = _secret(text("gpt_form.client_secret"))
            self._authorize = _input(text("gpt_form.authorization_url"), now.get("authorization_url"))
            self._token = _input(text("gpt_form.token_url"), now.get("token_url"))
            self._scope = _input(text("gpt_form.scope"), now.get("scope"))
            hint(text("gpt_form.oauth_hint"))

    def read(self) -> dict[str, Any] | None:
        """What is written, as the API takes it; None where something is missing, which its field says then."""
        kind = self._kind.value
        if kind == "api_key":
            bearer = self._place.value == "bearer"
            if not self._all(self._key, *(() if bearer else (self._key_name,))):
                return None
            if bearer:
                return {"type": kind, "prefix": "Bearer", "key": _written(self._key)}
            given = {"name": _written(self._key_name), "prefix": _written(self._prefix) or None}
            return _without_none({"type": kind, "in": self._place.value, **given, "key": _written(self._key)})
        if kind == "basic":
            given = {"type": kind, "username": _written(self._user), "password": _written(self._password) or None}
            return _without_none(given) if self._all(self._user) else None
        if kind == "oauth":
            given = {
                **self._beside,
                "type": kind,
                "client_id": _written(self._client),
                "client_secret": _written(self._client_secret) or None,
                "authorization_url": _written(self._authorize) or None,
                "token_url": _written(self._token),
                "scope": _written(self._scope),
            }
            signs_in = self._beside.get("flow") != "client_credentials"
            needed = (self._client, *((self._authorize,) if signs_in else ()), self._token)
            return _without_none(given) if self._all(*needed) else None
        return {"type": "none"}

    def _part(self, kind: str) -> ui.element:
        return ui.element("div").classes("stack").bind_visibility_from(self._kind, "value", value=kind)

    def _all(self, *fields: ui.input) -> bool:
        for one in fields:
            one.error = None if _written(one) else self._visitor.text("manage.needed")
        return all(_written(one) for one in fields)


def _place_of(now: Json) -> str:
    """Which of `_PLACES` a key is sent to now."""
    if now["type"] != "api_key":
        return "bearer"
    bearer = {"in": "header", "name": "Authorization", "prefix": "Bearer"}
    return "bearer" if all(now.get(name) == value for name, value in bearer.items()) else now["in"]


def _input(label: str, value: str | None = "") -> ui.input:
    return ui.input(label, value=value or "").props("outlined dense maxlength=2048 autocomplete=off").classes("wide")


def _secret(label: str) -> ui.input:
    return _input(label).props('type=password autocomplete="new-password"')


def _written(field: ui.input) -> str:
    return (field.value or "").strip()


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
