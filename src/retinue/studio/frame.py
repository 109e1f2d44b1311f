"""What stands around every page: navigation, project, language, light or dark, and what is said when it fails."""

from __future__ import annotations

import copy
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import openai
from fastapi import Request, Response
from nicegui import Client, app, ui
from starlette.responses import RedirectResponse

from .visitor import LANGUAGE_COOKIE, PROJECT_COOKIE, THEME_COOKIE, Visitor, Visitors

#: Groups of the navigation, in their order: keys of words.
GROUPS = ("use", "build", "watch", "manage")
#: Seconds that a browser remembers a choice.
_YEAR = 365 * 86_400
#: Seconds that making a page may take.
_LONGEST = 30
_SIGN_IN = "/sign-in"
#: Leads to the page as it is, in the other language.
_SPEAK = """(event) => {
  const to = new URL(location);
  to.searchParams.set("lang", "LANGUAGE");
  event.currentTarget.href = to;
}"""
_THEMES = {"dark": True, "light": False}


def _everybody(_: Visitor) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Page:
    """A page: where it is, and who sees it."""

    #: As FastAPI has paths.
    path: str
    #: Key of its title among the words.
    title: str
    #: Makes its content, in the current slot. It may answer with a `Response` instead.
    build: Callable[[Visitor, Request], Awaitable[Response | None]]
    #: A Material icon; "" keeps the page out of the navigation.
    icon: str = ""
    #: One of `GROUPS`.
    group: str = "use"
    #: Whether a person sees it in the navigation.
    shown: Callable[[Visitor], bool] = _everybody
    #: Whether it fills the window and scrolls inside, as a chat does.
    fills: bool = False


def register(visitors: Visitors, pages: Sequence[Page]) -> Callable[..., Awaitable[Response | None]]:
    """Serve the pages. Once in a process.

    Returns:
        what shows visitors that there is no such page.
    """
    # What the API refuses is told to the person, and the API has its own log.
    logging.getLogger("nicegui").addFilter(_is_news)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    # The first path that fits counts: those without parts to fill in come first.
    for page in sorted(pages, key=lambda page: "{" in page.path):
        ui.page(page.path, response_timeout=_LONGEST)(_shows(visitors, pages, page))
    return _shows(visitors, pages, Page("", "errors.no_page", _nothing))


def _is_news(record: logging.LogRecord) -> bool:
    """Visitors are told of the API's errors; pages that ask while the server stops find their client closed."""
    told = record.exc_info and isinstance(record.exc_info[1], openai.APIError)
    return not (told or (record.exc_info and (app.is_stopping or app.is_stopped)))


async def _nothing(visitor: Visitor, request: Request) -> None:
    ui.context.client.status_code = 404
    ui.label(visitor.text("errors.not_found")).classes("empty").props("role=alert")


def _shows(visitors: Visitors, pages: Sequence[Page], page: Page) -> Callable[..., Awaitable[Response | None]]:
    async def shown(request: Request, client: Client) -> Response | None:
        if chosen := _chosen(request):
            return chosen
        try:
            visitor = await visitors.of(request)
        except openai.AuthenticationError:
            return _to_sign_in(request)
        except openai.PermissionDeniedError:
            return RedirectResponse("/account", status_code=303)
        _dress(client, visitor, request, page)
        client.on_exception(lambda error: tell(visitor, error))
        with _surround(visitor, pages, page) as content:
            try:
                # The client takes these for ways up a path.
                nowhere = any(one in (".", "..") for one in request.path_params.values())
                return await (_nothing if nowhere else page.build)(visitor, request)
            except openai.APIStatusError as error:
                content.clear()
                client.status_code = error.status_code
                said = "errors.not_found" if error.status_code == 404 else "errors.refused"
                ui.label(visitor.text(said, message=message_of(error))).classes("empty").props("role=alert")
        return None

    return shown


def _chosen(request: Request) -> Response | None:
    """Remember what an address chooses (a language, a project), and go on to it without that."""
    query = dict(request.query_params)
    chosen = {LANGUAGE_COOKIE: query.pop("lang", ""), PROJECT_COOKIE: query.pop("project", "")}
    if not any(chosen.values()):
        return None
    response = RedirectResponse(request.url.path + (f"?{urlencode(query)}" if query else ""), status_code=303)
    for name, value in chosen.items():
        if value:
            response.set_cookie(name, quote(value[:100], safe="_-"), max_age=_YEAR, httponly=True, samesite="lax")
    return response


def _to_sign_in(request: Request) -> Response:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{_SIGN_IN}?{urlencode({'next': here})}", status_code=303)


def _dress(client: Client, visitor: Visitor, request: Request, page: Page) -> None:
    """Title, language, light or dark, style."""
    ui.page_title(f"{visitor.text(page.title)} · Retinue")
    # NiceGUI has these for each route; here they are each visitor's.
    client.page = copy.copy(client.page)
    client.page.language = "zh-CN" if visitor.language == "zh" else "en-US"
    client.page.dark = _THEMES.get(request.cookies.get(THEME_COOKIE, ""))
    ui.add_head_html(
        '<link rel="stylesheet" href="/static/studio.css"><link rel="stylesheet" href="/static/elements.css">'
    )
    if page.fills:
        client.content.classes("fills")


def _surround(visitor: Visitor, pages: Sequence[Page], page: Page) -> ui.element:
    """The frame; returns where the content belongs."""
    with ui.header().classes("bar") as header:
        header.props("role=banner")
        menu = (
            ui.button(icon="menu", color=None)
            .props(f'flat round dense aria-label="{visitor.text("frame.menu")}"')
            .classes("menu")
        )
        ui.link("Retinue", "/").classes("brand")
        ui.space()
        _choose_project(visitor)
        other = "en" if visitor.language == "zh" else "zh"
        language = ui.link(visitor.text("frame.language"), f"?lang={other}").classes("quiet")
        language.props(f"lang={other} hreflang={other}")
        # What else the address says by then stays.
        language.on("click", js_handler=_SPEAK.replace("LANGUAGE", other))
        _theme_button(visitor)
        label = f"{visitor.text('frame.account')}: {visitor.me['user']['name']}"
        ui.button(icon="account_circle", on_click=lambda: ui.navigate.to("/account"), color=None).props(
            f'flat round dense aria-label="{attribute(label)}"'
        ).tooltip(visitor.me["user"]["name"])
    with ui.left_drawer(value=False).classes("navigation") as drawer:
        # Quasar opens it by itself where there is room.
        drawer.props("show-if-above width=220 breakpoint=900 role=navigation")
        drawer.props(f'aria-label="{visitor.text("frame.navigation")}"')
        for group in GROUPS:
            _navigate(
                visitor, group, [one for one in pages if one.icon and one.group == group and one.shown(visitor)], page
            )
    menu.on_click(drawer.toggle)
    content = ui.element("div").classes("content").props("tabindex=-1")
    ui.skip_link(visitor.text("frame.skip"), target=content)
    return content


def _navigate(visitor: Visitor, group: str, pages: Sequence[Page], current: Page) -> None:
    if not pages:
        return
    ui.label(visitor.text(f"frame.{group}")).classes("group")
    for page in pages:
        with ui.link(target=page.path).classes("place") as link:
            ui.icon(page.icon).props("aria-hidden=true")
            ui.label(visitor.text(page.title))
        if page.title == current.title:
            link.props("aria-current=page")


def _choose_project(visitor: Visitor) -> None:
    projects = {one["id"]: one["name"] for one in visitor.me["projects"]}
    if len(projects) > 1:
        label = visitor.text("frame.project")
        ui.select(
            projects,
            value=visitor.project,
            on_change=lambda event: ui.navigate.to(f"/?{urlencode({'project': event.value})}"),
        ).props(f'dense borderless aria-label="{label}"').classes("project")


def _theme_button(visitor: Visitor) -> None:
    """Switches between light and dark in the browser, which remembers it."""
    switch = (
        "() => { const dark = !document.body.classList.contains('body--dark'); Quasar.Dark.set(dark); "
        f"document.cookie = `{THEME_COOKIE}=${{dark ? 'dark' : 'light'}}; path=/; max-age={_YEAR}; samesite=lax` }}"
    )
    button = ui.button(icon="contrast", color=None).props(
        f'flat round dense aria-label="{visitor.text("frame.theme")}"'
    )
    button.on("click", js_handler=switch)


def tell(visitor: Visitor, error: Exception) -> None:
    """Say in the current page what went wrong; whoever is signed out goes to sign in."""
    if isinstance(error, openai.AuthenticationError):
        ui.notify(visitor.text("errors.signed_out"), type="negative")
        ui.navigate.to(_SIGN_IN)
        return
    if isinstance(error, openai.APIStatusError):
        said = message_of(error)
    else:
        said = visitor.text("errors.no_answer" if isinstance(error, openai.APIError) else "errors.unexpected")
    ui.notify(said, type="negative", multi_line=True, close_button=visitor.text("frame.close"), timeout=10_000)


def message_of(error: openai.APIStatusError) -> str:
    """The API's own words."""
    body = error.body
    return str(body["message"]) if isinstance(body, dict) and body.get("message") else error.message  # pyright: ignore


def attribute(text: str) -> str:
    """Text to stand inside the double quotes of a property."""
    return text.replace("\\", "\\\\").replace('"', "'")
