"""Every page as a member and as a viewer of the project see it: nothing fails, and nothing is offered in vain."""

# pyright: reportDeprecated=false
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from retinue.studio.pages import PAGES
from retinue.studio.words import WORDS
from tests.scripted import Reply

from .conftest import DESKTOP, PHONE, Open, Studio, enter, sign_up

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore::DeprecationWarning")]
_ASK = """async ([path, body]) => {
    const me = await (await fetch('/v1/me')).json();
    const headers = {'content-type': 'application/json', 'x-csrf-token': me.csrf_token};
    const answer = await fetch(path, {method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body)});
    return [answer.status, await answer.json(), me.project];
}"""
As = Callable[[str], Any]
_PEOPLE: dict[str, Any] = {}


@pytest.fixture
def state(visit: Open, studio: Studio) -> As:
    """What the browser of a member or a viewer keeps; each is invited once."""

    def of(role: str) -> Any:
        if role not in _PEOPLE:
            _PEOPLE[role] = _invited(visit("/start"), studio, role)
        return _PEOPLE[role]

    return of


def _invited(page: Page, studio: Studio, role: str) -> Any:
    email = f"role-{role}@example.com"
    status, invite, project = page.evaluate(_ASK, ["/v1/organization/invites", {"email": email, "role": "reader"}])
    assert status == 200, invite
    link = urlsplit(invite["accept_url"])
    kept = sign_up(f"{studio.url}{link.path}?{link.query}", role.title(), email)
    users = f"/v1/organization/projects/{project}/users"
    _, found, _ = page.evaluate(_ASK, [f"{users}?limit=100", None])
    person = next(one["id"] for one in found["data"] if one["email"] == email)
    status, told, _ = page.evaluate(_ASK, [f"{users}/{person}", {"role": role}])
    assert status == 200, told
    return kept


@pytest.fixture
def things(studio: Studio) -> dict[str, str]:
    """Ids of something to see on pages of one thing, by the parts of their paths."""
    api, beta = studio.api, studio.api.beta
    assistant = beta.assistants.create(model="default", name="Seen by all", tools=[{"type": "file_search"}])
    thread = beta.threads.create(messages=[{"role": "user", "content": "Seen by all"}])
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    store = api.vector_stores.create(name="Seen by all")
    said = api.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}], store=True)
    ids = {"assistant": assistant.id, "thread": thread.id, "run": run.id, "store": store.id}
    return {**ids, "completion": said.id}


def looked_at(page: Page, path: str, language: str) -> None:
    """The page stands there, and says nothing of anything that went wrong."""
    main = page.get_by_role("main")
    main.wait_for()
    page.wait_for_load_state("networkidle")
    told = WORDS["errors.refused"][language == "zh"].partition("{")[0]
    for gone in (page.locator(".q-notification"), main.get_by_text(told)):
        expect(gone, path).to_have_count(0)


@pytest.mark.parametrize(("role", "language", "size"), [("member", "zh", PHONE), ("viewer", "en", DESKTOP)])
def test_every_page_opens_for_them(
    visit: Open, studio: Studio, state: As, things: dict[str, str], role: str, language: str, size: tuple[int, int]
) -> None:
    page = visit("/start", state=state(role), language=language, size=size)
    seen = 0
    for one in PAGES:
        # Pages of other things are looked at where those are made.
        if one.group != "manage" and set(re.findall(r"{(\w+)}", one.path)) <= things.keys():
            page.goto(studio.url + one.path.format(**things))
            looked_at(page, one.path, language)
            seen += 1
    assert seen > 12


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_what_is_for_owners_says_so(visit: Open, studio: Studio, state: As, role: str) -> None:
    page = visit("/start", state=state(role), language="zh", fails=True)
    # Reports of GPTs are for the project's administrators: test_gpt_store.py.
    for path in (one.path for one in PAGES if one.group == "manage" and one.path != "/gpts/reports"):
        expect(page.get_by_role("navigation").locator(f"a[href='{path}']")).to_have_count(0)
        page.goto(studio.url + path)
        expect(page.get_by_role("alert")).to_have_text(WORDS["manage.owners_only"][1])


def test_a_viewer_looks_into_everything_and_changes_nothing(
    visit: Open, studio: Studio, state: As, things: dict[str, str]
) -> None:
    kept = state("viewer")
    page = visit("/tokenizer", state=kept)
    page.get_by_role("textbox").first.fill("tiktoken is great!")
    expect(page.get_by_role("status").filter(has_text="characters")).to_have_text("6 tokens, 18 characters, 18 bytes")
    page.goto(f"{studio.url}/vector-stores/{things['store']}")
    page.get_by_role("tab", name="Try a search").click()
    page.get_by_label("What are you looking for?").fill("anything")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("There is nothing to search yet")).to_be_visible()
    page.goto(f"{studio.url}/runs/{things['thread']}/{things['run']}")
    for tab in ("Prompt", "Events", "JSON", "Code"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_load_state("networkidle")
        expect(page.locator(".q-notification")).to_have_count(0)
    page.goto(f"{studio.url}/playground/{things['assistant']}?thread={things['thread']}")
    expect(page.locator("article.user")).to_contain_text("Seen by all")
    settings = page.get_by_role("complementary", name="Assistant")
    expect(settings).to_contain_text("You may look, and change nothing")
    for name in ("Name", "Description", "Instructions"):
        expect(settings.get_by_label(name, exact=True)).to_be_disabled()
    for name in ("Add function", "Add connection", "Add a pair", "More", "Undo"):
        expect(settings.get_by_role("button", name=name, exact=True).and_(settings.locator(":enabled"))).to_have_count(
            0
        )
    expect(page.get_by_label("Write a message")).to_be_hidden()


def test_a_member_talks_with_a_protected_assistant_and_is_not_told_what_it_is_made_of(
    visit: Open, studio: Studio, state: As
) -> None:
    made: Any = studio.api.beta.assistants.create(
        model="default", name="Sealed", instructions="The word is heron.", extra_body={"protected": True}
    )
    page = visit(f"/playground/{made.id}", state=state("member"))
    settings = page.get_by_role("complementary", name="Assistant")
    expect(settings).to_contain_text("Protected: its instructions and files are shown to administrators only.")
    expect(settings.get_by_label("Instructions")).to_have_value("")
    expect(settings.get_by_label("Instructions")).to_be_disabled()
    expect(settings.get_by_role("switch", name="Protected")).to_be_disabled()
    # Only administrators make connections.
    expect(settings.get_by_role("heading", name="Connections")).to_be_visible()
    expect(settings.get_by_role("button", name="Add connection")).to_have_count(0)
    settings.get_by_role("button", name="More", exact=True).click()
    expect(page.locator(".q-menu .q-item")).to_have_text(["New assistant"])
    page.keyboard.press("Escape")
    expect(page.locator(".q-menu")).to_have_count(0)
    studio.upstream.script(Reply(text="Good day."))
    enter(page.get_by_label("Write a message"), "Hello")
    expect(page.locator("article.assistant")).to_contain_text("Good day.")
