"""The form that makes or changes a connection: an OpenAPI document, pasted or by its address, or an MCP server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from nicegui import ui

from ...elements.dialogs import form
from ...visitor import Visitor

#: Characters of a document, of an address, and of a secret, as the API limits them.
_LONGEST_DOCUMENT, _LONGEST_URL, _LONGEST_SECRET = 1_048_576, 2048, 8192
_CONSENTS = ("auto", "always", "never")
#: Fields of each way to authenticate; those with a star are secret.
_AUTHS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "api_key": ("name", "prefix", "key*"),
    "basic": ("username", "password*"),
    "oauth": ("client_id", "client_secret*", "authorization_url", "token_url", "scope"),
}
#: Secrets without which there is nothing to authenticate with.
_NEEDED = ("key", "password")
#: What fields say at first.
_USUAL = {"name": "Authorization", "prefix": "Bearer"}

Json = Mapping[str, Any]
Told = Callable[[Json], Awaitable[object]]


def connect(visitor: Visitor, on_made: Told) -> None:
    """Ask for a connection and make it.

    Args:
        visitor: who makes it.
        on_made: is told it, once it is made and the form is closed.
    """
    title, hint = visitor.text("connections.add"), visitor.text("connections.add_hint")
    _ask(visitor, None, title, visitor.text("connections.make"), hint, on_made)


def change(visitor: Visitor, connection: Json, on_changed: Told) -> None:
    """Ask what is to be different about a connection, in the same form. Secrets stay unless they are typed anew.

    Args:
        visitor: who changes it.
        connection: as the API shows it.
        on_changed: is told it as it is then, once the form is closed.
    """
    title, hint = visitor.text("connections.change_title", name=connection["name"]), visitor.text("connections.kept")
    if connection["headers"]:
        hint += " " + visitor.text("connections.headers", names=", ".join(connection["headers"]))
    _ask(visitor, connection, title, visitor.text("frame.save"), hint, on_changed)


def _ask(visitor: Visitor, now: Json | None, title: str, button: str, hint: str, on_done: Told) -> None:
    def fill() -> Callable[[], Awaitable[object]]:
        fields = _Fields(visitor, now)

        async def send() -> object:
            body = fields.body()
            if body is None:
                return False
            done = await visitor.post(f"/connections/{now['id']}" if now else "/connections", body)
            return lambda: ui.timer(0, lambda: on_done(done), once=True)

        return send

    form(visitor, title, button, fill, hint)


class _Fields:
    """The fields of the form; those show that the choices above them ask for."""

    def __init__(self, visitor: Visitor, now: Json | None) -> None:
        """Built in the current slot; `now` is the connection to be changed, if there is one."""
        self._visitor, self._now, text = visitor, now or {}, visitor.text
        # What it is cannot be changed.
        self._type = ui.select({one: text(f"connections.{one}") for one in ("action", "mcp")}, value="action")
        self._type.props("outlined dense").props["label"] = text("connections.type")
        self._type.set_value(self._now.get("type", "action"))
        self._type.set_visibility(not self._now)
        self._name = self._field("its_name" if self._now else "own_name", 256, "name")
        sources = ("as_it_is", "pasted", "address") if self._now else ("pasted", "address")
        self._from = ui.radio({one: text(f"connections.{one}") for one in sources}, value=sources[0])
        self._from.props("inline dense").props["aria-label"] = text("connections.document")
        self._document = ui.textarea(text("connections.document")).props(
            "outlined rows=6 input-class=mono spellcheck=false"
        )
        self._document.props(f"maxlength={_LONGEST_DOCUMENT}")
        self._document_url = self._field("document_url", _LONGEST_URL, "document_url")
        self._url = self._field("server_url", _LONGEST_URL, "url")
        self._auth = _Auth(visitor, self._now.get("auth"))
        self._consent = ui.select({one: text(f"connections.consent_{one}") for one in _CONSENTS}, value="auto")
        self._consent.props("outlined dense").props["label"] = text("connections.consent")
        self._consent.set_value(self._now.get("consent", "auto"))
        self._wrong = ui.label().classes("wrong").props("role=alert")
        self._type.on_value_change(self._show)
        self._from.on_value_change(self._show)
        self._show()

    def _field(self, name: str, longest: int, key: str) -> ui.input:
        field = ui.input(self._visitor.text(f"connections.{name}"), value=self._now.get(key) or "")
        return field.props(f"outlined dense maxlength={longest} autocomplete=off")

    def _show(self) -> None:
        action, source = self._type.value == "action", self._from.value
        self._from.set_visibility(action)
        self._document.set_visibility(action and source == "pasted")
        self._document_url.set_visibility(action and source == "address")
        self._url.props["label"] = self._visitor.text(
            "connections.other_url" if action and source != "as_it_is" else "connections.server_url"
        )
        self._url.update()

    def body(self) -> dict[str, Any] | None:
        """What to send, of a connection that there is only what is to change; None where something is missing."""
        now, wrong = self._now, ""
        action, source = self._type.value == "action", self._from.value
        name, url = (self._name.value or "").strip(), (self._url.value or "").strip()
        found: dict[str, Any] = {} if now else {"type": self._type.value}
        if action and source != "as_it_is":
            field, written = (
                ("document", self._document) if source == "pasted" else ("document_url", self._document_url)
            )
            found[field] = (written.value or "").strip()
            wrong = "" if found[field] else "no_document"
        elif not action and not url:
            wrong = "no_url"
        if name and name != now.get("name"):
            found["name"] = name
        # A new document brings its own server along, unless another one is named.
        if url and (url != now.get("url") or "document" in found or "document_url" in found):
            found["url"] = url
        if self._consent.value != now.get("consent"):
            found["consent"] = self._consent.value
        moves = bool(now) and "url" in found and _server(url) != _server(now["url"])
        if self._auth.changed(moves):
            found["auth"] = self._auth.written()
            wrong = wrong or ("type_anew" if now and self._auth.lacks_secret() else "")
        self._wrong.set_text(self._visitor.text(f"connections.{wrong}") if wrong else "")
        return None if wrong else found


class _Auth:
    """How a connection authenticates."""

    def __init__(self, visitor: Visitor, now: Json | None) -> None:
        """Built in the current slot; `now` is how it does so far, without its secrets; None for a new connection."""
        self._visitor, self._now, text = visitor, now, visitor.text
        self._kind = ui.select({one: text(f"connections.auth_{one}") for one in _AUTHS}, value="none")
        self._kind.props("outlined dense").props["label"] = text("connections.auth")
        self._kind.set_value(now["type"] if now else "none")
        self._fields: dict[str, dict[str, ui.input]] = {"none": {}}
        for kind, names in _AUTHS.items():
            if names:
                with ui.element("div").classes("pair").bind_visibility_from(self._kind, "value", value=kind):
                    self._fields[kind] = {name.rstrip("*"): self._field(kind, name) for name in names}

    def _field(self, kind: str, name: str) -> ui.input:
        secret, name = name.endswith("*"), name.rstrip("*")
        there = self._now is not None and self._now["type"] == kind
        value = ((self._now or {}).get(name) or "") if there else _USUAL.get(name, "")
        place = (self._now or {}).get("in", "header") if there else "header"
        label = f"name_{place}" if name == "name" and place != "header" else name
        field = ui.input(self._visitor.text(f"connections.{label}"), value=value, password=secret)
        if secret and there:
            field.props["hint"] = self._visitor.text("connections.unchanged")
        return field.props(f"outlined dense maxlength={_LONGEST_SECRET} autocomplete=new-password")

    def written(self) -> dict[str, Any]:
        """As the API takes it. What this form has no field for stays as it was."""
        kind = str(self._kind.value)
        values = {name: (field.value or "").strip() for name, field in self._fields[kind].items()}
        old = self._now if self._now and self._now["type"] == kind else {}
        kept = {name: value for name, value in old.items() if name not in values}
        return {**kept, "type": kind, **{name: value for name, value in values.items() if value}}

    def changed(self, moves: bool) -> bool:
        """Whether it has to be sent: it is another one, or its requests move to another server, which gets no secrets
        that were meant for the old one.
        """
        shown = {name: value for name, value in (self._now or {}).items() if value not in (None, "")}
        return self._now is None or self.written() != shown or (moves and shown["type"] != "none")

    def lacks_secret(self) -> bool:
        """Whether there would be nothing to authenticate with."""
        written = self.written()
        return any(name in _NEEDED and name not in written for name in self._fields[written["type"]])


def _server(url: str) -> tuple[str, str]:
    """What requests go to, of an address: secrets stay with it."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
