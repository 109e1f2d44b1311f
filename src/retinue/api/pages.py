"""The pages to sign in and to see to one's account. They are for browsers, and no part of the API."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from ..accounts.openid import CALLBACK_PATH, SIGN_IN_TIME
from ..accounts.people import People
from ..accounts.sessions import csrf_token, is_csrf_token, new_token
from ..errors import ApiError, AuthenticationFailed, Forbidden, InvalidRequest, NotFound
from ..settings import Settings
from ..store.store import Store
from ..studio.account_pages import HEADERS, Frame, Problem, account_page, problem_page, sign_in_page, welcome_page
from ..studio.texts import Language, preferred
from .cookies import BROWSER, LANGUAGE, SESSION, SIGN_IN, is_encrypted, is_on_loopback, set_cookie
from .http import address_of

#: Where forms are sent, and their most bytes.
FORMS, FORM_BYTES = ("/sign-in", "/welcome", "/account", "/sign-out"), 16 * 1024
_MOST_FIELDS = 10
#: Where people go on who asked for no page; who is new is shown how to begin.
_HOME, _GUIDE = "/", "/start"
#: Projects that an account's page shows.
_MOST_SHOWN = 50
#: A path of this server with its query. A second slash would begin a host, a backslash is one to browsers, and white
#: space they leave out.
_LOCAL_PATH = re.compile(r"/(?!/)[!-\[\]-~]{0,1023}")
#: Seconds that a browser remembers a language.
_YEAR = 365 * 86_400


class _PageRoute(APIRoute):
    """A route that answers errors with a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, whose errors people can read."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await handler(request)
            except ApiError as error:
                response = _html(problem_page(_frame(request, error=error)), error.status)
            if (language := request.query_params.get("lang")) in ("en", "zh"):
                set_cookie(request, response, LANGUAGE, language, _YEAR)
            return response

        return handle


router = APIRouter(route_class=_PageRoute, include_in_schema=False)


# --- signing in


@router.get("/sign-in")
async def show_sign_in(request: Request) -> Response:
    """The form; whoever is signed in goes on, to `next` of the query or to the studio."""
    onward = _onward(request.query_params.get("next", ""))
    if await _is_signed_in(request):
        return _redirect(onward or _HOME)
    return _sign_in_page(request, onward)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Sign in by password."""
    form = await _form(request)
    onward = _onward(form.get("next", ""))
    try:
        _check_form(request, form, BROWSER)
        _require_safety(request)
        token = await _people(request).sign_in(form.get("email", ""), form.get("password", ""), address_of(request))
    except ApiError as error:
        return _sign_in_page(request, onward, error, form.get("email", ""))
    return await _signed_in(request, token, onward)


@router.get("/sign-in/provider")
async def begin_sign_in(request: Request) -> Response:
    """Send the browser to the OpenID provider."""
    provider = _people(request).provider
    if provider is None:
        raise NotFound("No OpenID provider is configured.")
    await _people(request).count_provider(address_of(request))
    url, begun = await provider.begin(_onward(request.query_params.get("next", "")))
    response = _redirect(url)
    set_cookie(request, response, SIGN_IN, begun, SIGN_IN_TIME)
    return response


@router.get(CALLBACK_PATH)
async def finish_sign_in(request: Request) -> Response:
    """Where the browser comes back to from the provider."""
    people, query = _people(request), request.query_params
    if people.provider is None:
        raise NotFound("No OpenID provider is configured.")
    await people.count_provider(address_of(request))
    identity, onward = await people.provider.finish(
        request.cookies.get(SIGN_IN, ""), query.get("state", ""), query.get("code", ""), query.get("error", "")
    )
    response = await _signed_in(request, await people.sign_in_as(identity), onward)
    response.delete_cookie(SIGN_IN, path="/")
    return response


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session."""
    _check_form(request, await _form(request), SESSION)
    await _people(request).sessions.end(request.cookies[SESSION])
    response = _redirect("/sign-in")
    response.delete_cookie(SESSION, path="/")
    return response


# --- being welcomed


@router.get("/welcome")
async def show_welcome(request: Request) -> Response:
    """The form of a link. The link stays good until the form is sent."""
    token = request.query_params.get("token", "")
    welcome = await _people(request).welcome(token)
    return _fresh_form(request, lambda frame: welcome_page(frame, token=token, invited=welcome.email))


@router.post("/welcome")
async def accept_welcome(request: Request) -> Response:
    """Make the person whom a link is for."""
    form, people = await _form(request), _people(request)
    token, name, email = (form.get(field, "") for field in ("token", "name", "email"))
    welcome = await people.welcome(token)
    try:
        _check_form(request, form, BROWSER)
        _require_safety(request)
        session = await people.accept(token, name, email, form.get("password", ""))
    except ApiError as error:
        return _fresh_form(
            request,
            lambda frame: welcome_page(frame, token=token, invited=welcome.email, name=name, email=email),
            error,
        )
    return await _signed_in(request, session, _GUIDE)


# --- the account


@router.get("/account")
async def show_account(request: Request) -> Response:
    """Who is signed in; whoever is not goes to sign in."""
    if not await _is_signed_in(request):
        return _redirect("/sign-in")
    return await _account_page(request, request.cookies[SESSION])


@router.post("/account")
async def change_password(request: Request) -> Response:
    """Change the password."""
    form, token, people = await _form(request), request.cookies.get(SESSION, ""), _people(request)
    session = await people.sessions.find(token)
    try:
        _check_form(request, form, SESSION)
        _require_safety(request)
        new = await people.change_password(session, form.get("old", ""), form.get("password", ""), address_of(request))
    except ApiError as error:
        return await _account_page(request, token, error)
    response = await _account_page(request, new, notice="changed")
    set_cookie(request, response, SESSION, new, _settings(request).session_lifetime)
    return response


async def _account_page(request: Request, token: str, error: ApiError | None = None, *, notice: str = "") -> Response:
    session, store = await _people(request).sessions.find(token), _store(request)
    shown = dict(islice(session.projects.items(), _MOST_SHOWN))
    names = await store.accounts.project_names(list(shown))
    page = account_page(
        _frame(request, token, error, notice),
        name=session.name,
        email=session.email,
        role=session.role,
        projects={f"{names[project]} ({project})": role for project, role in shown.items() if project in names},
        has_password=session.has_password,
    )
    return _html(page, error.status if error else 200)


# --- what pages share


def _people(request: Request) -> People:
    return request.app.state.people


def _store(request: Request) -> Store:
    return request.app.state.store


def _settings(request: Request) -> Settings:
    return request.app.state.settings


async def _is_signed_in(request: Request) -> bool:
    try:
        await _people(request).sessions.find(request.cookies.get(SESSION, ""))
    except AuthenticationFailed:
        return False
    return True


def _onward(wanted: str) -> str:
    """Where to go on after signing in: a path of this server, or "" if it is none that is sure to be."""
    return wanted if _LOCAL_PATH.fullmatch(wanted) else ""


async def _signed_in(request: Request, token: str, onward: str = "") -> Response:
    """On, to the studio if to nothing else, with a new session; one that the browser had before ends."""
    if before := request.cookies.get(SESSION):
        await _people(request).sessions.end(before)
    response = _redirect(onward or _HOME)
    set_cookie(request, response, SESSION, token, _settings(request).session_lifetime)
    return response


def _sign_in_page(request: Request, onward: str, error: ApiError | None = None, email: str = "") -> Response:
    provider, safe = _people(request).provider is not None, _is_safe(request)
    return _fresh_form(
        request, lambda frame: sign_in_page(frame, email=email, provider=provider, safe=safe, onward=onward), error
    )


def _fresh_form(request: Request, page: Callable[[Frame], bytes], error: ApiError | None = None) -> Response:
    """A page with a form for somebody who is not signed in: its CSRF token hangs on a cookie of the browser."""
    browser = request.cookies.get(BROWSER) or new_token()
    response = _html(page(_frame(request, browser, error)), error.status if error else 200)
    set_cookie(request, response, BROWSER, browser)
    return response


def _frame(request: Request, token: str = "", error: ApiError | None = None, notice: str = "") -> Frame:
    problem = Problem(error.code or error.param or "", error.message) if error else None
    return Frame(language_of(request), csrf_token(token) if token else "", problem, notice)


def language_of(request: Request) -> Language:
    """The language that a request asks for: by its address, by what was chosen before, by the browser."""
    chosen = request.query_params.get("lang") or request.cookies.get(LANGUAGE)
    if chosen in ("en", "zh"):
        return "zh" if chosen == "zh" else "en"
    return preferred(request.headers.get("accept-language", ""))


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form.

    Raises:
        InvalidRequest: it is none, or has too many fields.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise InvalidRequest("A form is expected, as application/x-www-form-urlencoded.")
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise InvalidRequest(f"A form has at most {_MOST_FIELDS} fields.") from None


def _check_form(request: Request, form: dict[str, str], cookie: str) -> None:
    """See to it that a form comes from a page of ours in this browser.

    Raises:
        Forbidden: it does not.
    """
    token = request.cookies.get(cookie, "")
    from_here = request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
    if not token or not from_here or not is_csrf_token(token, form.get("csrf", "")):
        raise Forbidden("This form is out of date. Please try again.", code="invalid_csrf_token")


def _is_safe(request: Request) -> bool:
    return is_encrypted(request) or is_on_loopback(request)


def _require_safety(request: Request) -> None:
    if not _is_safe(request):
        raise Forbidden(
            "Passwords are taken by HTTPS only. Put a proxy with a certificate in front, and set `public_url`.",
            code="insecure_connection",
        )


def _html(page: bytes, status: int) -> Response:
    return HTMLResponse(page, status_code=status, headers=dict(HEADERS))


def _redirect(url: str) -> Response:
    return RedirectResponse(
        url, status_code=303, headers={"cache-control": "no-store", "referrer-policy": "no-referrer"}
    )
