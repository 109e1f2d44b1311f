"""Pages to sign in, to be welcomed and to see to one's account: plain HTML that needs no scripts and loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib import resources
from urllib.parse import urlencode

from .texts import ERRORS_IN_CHINESE, TEXTS, Language

_STYLE = resources.files("retinue.studio").joinpath("forms.css").read_text(encoding="utf-8")
#: The one style sheet is allowed by its hash.
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: Else browsers ask for /favicon.ico.
_NO_ICON = '<link rel="icon" href="data:,">'
#: What every page is sent with: it may load nothing, run nothing, be framed by nobody, and is kept nowhere.
HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        f"default-src 'none'; img-src data:; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong: an error of the API."""

    #: The error's code, or else the field at fault; "" if there is neither.
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page needs to know."""

    language: Language
    #: Goes into every form.
    csrf: str = ""
    problem: Problem | None = None
    #: What a form did, as the key of a text.
    notice: str = ""

    def text(self, key: str) -> str:
        """Words of the page, escaped."""
        return escape(TEXTS[self.language][key])

    def form(self, action: str, content: str, button: str, *, hidden: Mapping[str, str] | None = None) -> str:
        """A form with its CSRF field."""
        fields = {"csrf": self.csrf, **(hidden or {})}
        inputs = "".join(f'<input type="hidden" name="{name}" value="{escape(fields[name])}">' for name in fields)
        style = ' class="plain"' if not content else ""
        return (
            f'<form method="post" action="{action}">{inputs}{content}<button{style}>{self.text(button)}</button></form>'
        )

    def field(
        self, name: str, label: str, kind: str, autocomplete: str, value: str = "", *, fixed: bool = False
    ) -> str:
        """A field of a form, which must be filled in."""
        shown = f' value="{escape(value)}"' if value else ""
        end = " readonly" if fixed else ""
        return (
            f'<label>{self.text(label)}<input name="{name}" type="{kind}" autocomplete="{autocomplete}"{shown}'
            f" required{end}></label>"
        )

    def page(self, title: str, path: str, content: str, query: Mapping[str, str] | None = None) -> bytes:
        """A whole page.

        Args:
            title: the key of its title.
            path: where it is, for the switch to the other language.
            content: HTML.
            query: what else belongs to its address.
        """
        told = ""
        if self.problem:
            said = self.problem.message
            if self.language == "zh":
                said = ERRORS_IN_CHINESE.get(self.problem.kind, said)
            told = f'<p class="wrong" role="alert">{escape(said)}</p>'
        elif self.notice:
            told = f'<p class="good" role="status">{self.text(self.notice)}</p>'
        other = "en" if self.language == "zh" else "zh"
        switch = escape(f"{path}?{urlencode({**(query or {}), 'lang': other})}")
        html = (
            f'<!doctype html>\n<html lang="{self.language}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{self.text(title)} · Retinue</title>\n{_NO_ICON}\n<style>{_STYLE}</style>\n</head>\n"
            "<body>\n<main>\n"
            f"<h1>{self.text(title)}</h1>\n{told}\n{content}\n"
            f'<footer><a href="{switch}" hreflang="{other}" lang="{other}">{self.text("other")}</a></footer>\n'
            "</main>\n</body>\n</html>\n"
        )
        return html.encode("utf-8", "replace")


def sign_in_page(
    frame: Frame, *, email: str = "", provider: bool = False, safe: bool = True, onward: str = ""
) -> bytes:
    """Where people sign in.

    Args:
        frame: the page's frame.
        email: what was typed before.
        provider: whether people can sign in at an OpenID provider too.
        safe: whether a password may be sent.
        onward: the path to which people go on then; "" for the studio.
    """
    query = {"next": onward} if onward else {}
    hint = f'<p class="quiet">{frame.text("sign_in_hint")}</p>'
    address = escape(f"/sign-in/provider?{urlencode(query)}" if query else "/sign-in/provider")
    at_provider = f'<a class="button" href="{address}">{frame.text("provider")}</a>' if provider else ""
    if not safe:
        warning = f'{hint}<p class="wrong" role="alert">{frame.text("unsafe")}</p>'
        return frame.page("sign_in", "/sign-in", warning, query)
    fields = frame.field("email", "email", "email", "username", email)
    fields += frame.field("password", "password", "password", "current-password")
    form = frame.form("/sign-in", fields, "sign_in", hidden=query)
    return frame.page("sign_in", "/sign-in", hint + at_provider + form, query)


def welcome_page(frame: Frame, *, token: str, invited: str, name: str = "", email: str = "") -> bytes:
    """Where the first owner, or somebody who was invited, says who they are.

    Args:
        frame: the page's frame.
        token: of the link.
        invited: the email address of an invite; "" for the first owner.
        name: what was typed before.
        email: the same.
    """
    fields = frame.field("name", "name", "text", "name", name)
    fields += frame.field("email", "email", "email", "username", invited or email, fixed=bool(invited))
    fields += frame.field("password", "new_password", "password", "new-password")
    fields += f'<p class="quiet">{frame.text("password_hint")}</p>'
    hint = f'<p class="quiet">{frame.text("welcome_invite" if invited else "welcome_first")}</p>'
    form = frame.form("/welcome", fields, "join", hidden={"token": token})
    return frame.page("welcome", "/welcome", hint + form, {"token": token})


def account_page(
    frame: Frame, *, name: str, email: str, role: str, projects: Mapping[str, str], has_password: bool
) -> bytes:
    """Who is signed in, with the way back to the studio, and forms to change the password and to sign out.

    Args:
        frame: the page's frame.
        name: the person's name.
        email: the person's email address.
        role: in the organization.
        projects: from a project's name to the role in it.
        has_password: whether there is a password to change, which has to be told first.
    """
    places = [f"{escape(project)} · {frame.text(role)}" for project, role in projects.items()]
    shown = {
        "name": escape(name),
        "email": escape(email),
        "role": frame.text(role),
        "projects": "<br>".join(places) or frame.text("none"),
    }
    about = "".join(f"<dt>{frame.text(key)}</dt><dd>{value}</dd>" for key, value in shown.items())
    # For password managers: whose password it is.
    whose = f'<input name="username" type="text" autocomplete="username" value="{escape(email)}" hidden readonly>'
    fields = frame.field("old", "old_password", "password", "current-password") if has_password else ""
    fields += frame.field("password", "new_password", "password", "new-password")
    fields += f'<p class="quiet">{frame.text("password_hint")} {frame.text("change_hint")}</p>'
    # Nothing else is to be seen without a project.
    back = f'<p><a href="/">{frame.text("studio")}</a></p>' if projects else ""
    content = f"{back}<dl>{about}</dl>{frame.form('/sign-out', '', 'sign_out')}<h2>{frame.text('change_password')}</h2>"
    return frame.page("account", "/account", content + frame.form("/account", whose + fields, "change_password"))


def problem_page(frame: Frame) -> bytes:
    """What went wrong, where there is no form to show it in."""
    return frame.page("failed", "/sign-in", f'<p><a href="/sign-in">{frame.text("back")}</a></p>')
