"""Making a GPT by form: its fields, its versions, publishing it, Actions, files."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from retinue.studio.pages.gpt_form.compare import compare
from tests.scripted import Reply

from .conftest import DESKTOP, PHONE, Open, Studio, dialog_on, obstacles
from .test_chat import colleague

pytestmark = [pytest.mark.timeout(480), pytest.mark.filterwarnings("ignore::DeprecationWarning")]
RULES = "In the game of Tarot the highest trump wins the trick."
Edit = Callable[..., Page]


def gpt_of(studio: Studio, page: Page) -> Any:
    """The GPT on the page, as an administrator of the project sees it."""
    return studio.api.get(f"/gpts/{page.url.rpartition('/')[2]}", cast_to=object)


def made(studio: Studio, name: str, **fields: Any) -> Any:
    """A GPT of the key's, which Ada may change: she administers the project."""
    return studio.api.post("/gpts", cast_to=object, body={"name": name, **fields})


@pytest.fixture
def edit(visit: Open) -> Edit:
    """Opens the form of a GPT."""

    def opened(gpt: Any, **options: Any) -> Page:
        page = visit(f"/gpts/edit/{gpt['id']}", **options)
        page.locator(".gpt-picture img[src]").wait_for(state="attached")
        return page

    return opened


def test_a_gpt_is_made_tried_published_and_rolled_back(visit: Open, studio: Studio) -> None:
    page = visit("/gpts/new")
    page.get_by_role("button", name="Open the form").click()
    expect(page.get_by_text("A GPT needs a name.")).to_be_visible()
    page.get_by_label("Name").fill("Trick Time")
    page.get_by_role("button", name="Open the form").click()
    page.wait_for_url("**/gpts/edit/gpt_*")
    expect(page.get_by_role("heading", name="Trick Time", level=1)).to_be_visible()
    page.get_by_label("Description").fill("Explains the rules of Tarot.")
    page.get_by_label("Instructions", exact=True).fill("Explain one rule at a time.")
    expect(page.get_by_text(re.compile(r"[1-9] tokens"))).to_be_visible()
    page.get_by_role("button", name="Add a starter").click()
    page.get_by_label("Conversation starter 1").fill("Who wins a trick?")
    page.get_by_role("combobox", name="Category").click()
    page.get_by_role("option", name="Games").click()
    page.get_by_role("switch", name="Code interpreter").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload files").first.click()
    chooser.value.set_files([{"name": "rules.txt", "mimeType": "text/plain", "buffer": RULES.encode()}])
    files = page.get_by_role("list", name="Knowledge")
    expect(files.get_by_role("link", name="rules.txt")).to_be_visible()
    expect(page.get_by_text("Saved. Not published yet")).to_be_visible()

    studio.upstream.script(Reply(text="The highest trump wins it."))
    page.get_by_role("region", name="Preview").get_by_role("button", name="Who wins a trick?").click()
    expect(page.locator("article.assistant")).to_contain_text("The highest trump wins it.")

    publish(page, "Everybody in this project: it stands in the store", "First version.")
    expect(page.get_by_text("Version 1 is published.")).to_be_visible()
    gpt = gpt_of(studio, page)
    assert (gpt["visibility"], gpt["version"], gpt["category"]) == ("store", 1, "games")
    assert (gpt["capabilities"], gpt["conversation_starters"]) == (
        ["code_interpreter", "file_search"],
        ["Who wins a trick?"],
    )

    page.get_by_label("Instructions", exact=True).fill("Explain one rule at a time.\nBe brief.")
    expect(page.get_by_text("Others still have version 1.")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    dialog = page.get_by_role("dialog", name="Publish Trick Time")
    expect(dialog).to_contain_text("Changed since version 1 (1)")
    expect(dialog.locator(".came")).to_contain_text("Be brief.")
    dialog.get_by_label("What is new").fill("Brief.")
    dialog.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published as version 2.")).to_be_visible()

    page.get_by_role("tab", name="Versions").click()
    versions = page.get_by_role("list", name="Versions").get_by_role("listitem")
    expect(versions).to_have_count(2)
    expect(versions.first).to_contain_text("Brief.")
    expect(versions.first).to_contain_text("Ada")
    expect(page.get_by_role("region", name="Compare")).to_contain_text("They are the same.")
    page.get_by_role("combobox", name="Before").click()
    page.get_by_role("option", name="Version 1").click()
    expect(page.get_by_role("region", name="Compare").locator(".came .line")).to_have_text(["Be brief."])
    versions.nth(1).get_by_role("button", name="Publish again").click()
    dialog_on(page).get_by_role("button", name="Publish again").click()
    expect(versions).to_have_count(3)
    gpt = gpt_of(studio, page)
    assert (gpt["version"], gpt["draft"]["instructions"]) == (3, "Explain one rule at a time.")


def publish(page: Page, who: str, notes: str) -> None:
    page.locator(".gpt-head .primary").click()
    dialog = dialog_on(page)
    dialog.get_by_role("radio", name=who).click()
    dialog.locator("textarea").fill(notes)
    dialog.locator(".primary").click()
    expect(dialog).to_have_count(0)


def test_the_form_in_chinese_on_a_phone(visit: Open, studio: Studio) -> None:
    page = visit("/gpts/new", language="zh", theme="dark", size=PHONE)
    page.get_by_label("名称").fill("数据分析师")
    page.get_by_role("button", name="打开表单").click()
    page.wait_for_url("**/gpts/edit/gpt_*")
    page.get_by_label("指令", exact=True).fill("编写并运行代码。")
    page.get_by_role("button", name="添加开场白").click()
    page.get_by_label("开场白 1").fill("分析这份 CSV")
    expect(page.get_by_text("已保存。尚未发布，仅您可见。")).to_be_visible()
    page.get_by_role("tab", name="预览").click()
    expect(page.get_by_label("指令", exact=True)).to_be_hidden()
    studio.upstream.script(Reply(text="请上传文件。"))
    page.get_by_role("button", name="分析这份 CSV").click()
    expect(page.locator("article.assistant")).to_contain_text("请上传文件。")
    publish(page, "本项目所有人：展示在商店中", "第一版")
    expect(page.get_by_text("版本 1 已发布。")).to_be_visible()
    page.get_by_role("tab", name="版本").click()
    expect(page.get_by_role("listitem").filter(has_text="第一版")).to_contain_text("使用中")
    assert gpt_of(studio, page)["slug"] == "数据分析师"


def test_changes_are_undone_and_refused_ones_are_told(edit: Edit, studio: Studio) -> None:
    made(studio, "Slug Owner", slug="slug-owner")
    page = edit(made(studio, "Undo Me", instructions="Be kind."))
    page.get_by_label("Instructions", exact=True).fill("Be brief.")
    page.get_by_role("switch", name="Web browsing").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("switch", name="Web browsing")).not_to_be_checked()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Instructions", exact=True)).to_have_value("Be kind.")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    page.get_by_role("button", name="Redo").click()
    expect(page.get_by_label("Instructions", exact=True)).to_have_value("Be brief.")
    page.get_by_label("Name", exact=True).fill("")
    expect(page.get_by_text("A GPT needs a name.")).to_be_visible()


def test_a_slug_that_is_taken_is_told_at_the_field(visit: Open, studio: Studio) -> None:
    made(studio, "Slug Owner", slug="slug-taken")
    page = visit(f"/gpts/edit/{made(studio, 'Slug Wanter')['id']}", fails=True)
    page.get_by_label("Address (slug)").fill("slug-taken")
    expect(page.get_by_text("there is a GPT 'slug-taken' already")).to_be_visible()


def test_it_is_shared_with_people(edit: Edit, studio: Studio) -> None:
    page = edit(made(studio, "For Few"))
    page.get_by_role("button", name="Publish").click()
    dialog = dialog_on(page)
    expect(dialog.get_by_label("Link", exact=True)).to_be_hidden()
    dialog.get_by_role("radio", name="Everybody in this project with the link").click()
    expect(dialog.get_by_label("Link", exact=True)).to_have_value(f"{studio.url}/gpts/{page.url.rpartition('/')[2]}")
    dialog.get_by_role("radio", name="Chosen people of this project").click()
    expect(dialog.get_by_role("combobox", name="People")).to_be_visible()
    dialog.get_by_role("checkbox", name="Others may make their own copy").click()
    dialog.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1 is published.")).to_be_visible()
    gpt = gpt_of(studio, page)
    assert (gpt["visibility"], gpt["allow_duplicate"]) == ("people", True)


def test_it_is_shared_with_a_group(edit: Edit, studio: Studio) -> None:
    page = edit(made(studio, "For Players"))
    me = page.request.get(f"{studio.url}/v1/me").json()
    groups, headers = f"{studio.url}/v1/organization/groups", {"X-CSRF-Token": me["csrf_token"]}
    group = page.request.post(groups, headers=headers, data={"name": "Card players"}).json()
    page.request.post(f"{groups}/{group['id']}/users", headers=headers, data={"user_id": me["user"]["id"]})
    page.reload()
    page.get_by_role("button", name="Publish").click()
    dialog = dialog_on(page)
    dialog.get_by_role("radio", name="Chosen people of this project").click()
    dialog.get_by_role("combobox", name="People and groups").fill("card")
    page.get_by_role("option", name="Card players (group)").click()
    page.keyboard.press("Escape")
    dialog.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Version 1 is published.")).to_be_visible()
    assert gpt_of(studio, page)["shared_with"] == [group["id"]]
    page.request.delete(f"{groups}/{group['id']}", headers=headers)


def test_an_action_is_added_and_attached(edit: Edit, studio: Studio) -> None:
    page = edit(made(studio, "Acting"), fails=True)
    page.get_by_role("button", name="Add an Action").click()
    dialog = page.get_by_role("dialog", name="Add an Action")
    dialog.get_by_role("button", name="Paste it").click()
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Tides", "version": "1"},
        # An address that may be asked; nothing is sent there.
        "servers": [{"url": "https://8.8.8.8"}],
        "paths": {"/tides": {"get": {"operationId": "listTides", "summary": "All tides."}}},
    }
    dialog.get_by_label("OpenAPI document (JSON or YAML)").fill(json.dumps(document))
    dialog.get_by_role("combobox", name="Authentication").click()
    page.get_by_role("option", name="API key").click()
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_text("This is needed")).to_be_visible()
    dialog.get_by_label("Key", exact=True).fill("tide-key")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("switch", name="Tides")).to_be_checked()
    (connection,) = gpt_of(studio, page)["draft"]["connections"]
    page.get_by_role("button", name="Operations").first.click()
    page.get_by_role("button", name="Test listTides").click()
    dialog = page.get_by_role("dialog", name="Test listTides")
    dialog.get_by_label("Arguments").fill("[]")
    dialog.get_by_role("button", name="Call").click()
    expect(dialog.get_by_text("Write a JSON object")).to_be_visible()
    # What the service, or rather the way there, says of a call is shown.
    dialog.get_by_label("Arguments").fill('{"colour": "blue"}')
    dialog.get_by_role("button", name="Call").click()
    expect(dialog.locator(".wrong")).to_contain_text("colour")
    dialog.get_by_role("button", name="Close").click()
    page.get_by_role("switch", name="Tides").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("switch", name="Tides")).to_be_checked()
    assert gpt_of(studio, page)["draft"]["connections"] == [connection]
    found = studio.api.get(f"/connections/{connection}", cast_to=object)
    assert (found["auth"]["type"], found["auth"]["prefix"]) == ("api_key", "Bearer")  # pyright: ignore


def test_a_gpt_goes_out_as_a_file_and_comes_in_again(edit: Edit, visit: Open, studio: Studio) -> None:
    page = edit(made(studio, "Traveller", instructions="Travel far.", slug="traveller"))
    page.get_by_role("button", name="More").click()
    with page.expect_download() as downloaded:
        page.get_by_role("menuitem", name="Export as a file").click()
    assert downloaded.value.suggested_filename == "traveller.zip"
    content = downloaded.value.path().read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert json.loads(archive.read("gpt.json"))["content"]["instructions"] == "Travel far."
    page = visit("/gpts/new", fails=True)
    chooser = page.get_by_label("Choose a file")
    chooser.set_input_files({"name": "x.zip", "mimeType": "application/zip", "buffer": b"no archive"})
    expect(page.get_by_text("it is no ZIP file")).to_be_visible()
    chooser.set_input_files({"name": "t.zip", "mimeType": "application/zip", "buffer": content})
    page.wait_for_url("**/gpts/edit/gpt_*")
    expect(page.get_by_label("Instructions", exact=True)).to_have_value("Travel far.")
    assert gpt_of(studio, page)["slug"].startswith("traveller-")


def test_it_is_copied_and_deleted(edit: Edit, studio: Studio) -> None:
    gpt = made(studio, "Original")
    page = edit(gpt)
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Duplicate").click()
    expect(page.get_by_role("heading", name="Original (copy)", level=1)).to_be_visible()
    copy = gpt_of(studio, page)
    assert copy["id"] != gpt["id"]
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Delete GPT").click()
    dialog_on(page).get_by_role("button", name="Delete").click()
    page.wait_for_url("**/gpts/mine")
    mine = studio.api.get("/gpts?scope=mine", cast_to=object)
    assert gpt["id"] in {one["id"] for one in mine["data"]}  # pyright: ignore


def test_texts_are_compared_line_by_line() -> None:
    before = {"name": "A", "instructions": "1\n2\n3\n4\n5\n6", "tags": ["x", "y"], "model": "default"}
    after = {"name": "B", "instructions": "1\n2\n3\n4\n5\nsix", "tags": ["y", "x"], "model": "default"}
    found = {one.field: list(one.lines) for one in compare(before, after)}
    assert found == {
        "name": [("-", "A"), ("+", "B")],
        "instructions": [("…", ""), (" ", "4"), (" ", "5"), ("-", "6"), ("+", "six")],
        "tags": [("-", "x"), ("-", "y"), ("+", "y"), ("+", "x")],
    }
    assert compare(after, after) == []
    assert [one.field for one in compare({}, {"name": "A", "tags": []})] == ["name"]


def test_a_member_makes_one_too_and_shares_it_with_a_colleague(visit: Open, studio: Studio) -> None:
    colleague(visit, studio, "member")
    page = visit("/gpts/new", state=colleague(visit, studio, "member"))
    page.get_by_label("Name").fill("Member's Own")
    page.get_by_role("button", name="Open the form").click()
    page.wait_for_url("**/gpts/edit/gpt_*")
    page.locator(".gpt-picture img[src]").wait_for()
    expect(page.get_by_text("Owners of the project add Actions")).to_be_visible()
    expect(page.get_by_role("button", name="Add an Action")).to_have_count(0)
    page.locator(".uploads input").set_input_files(
        [{"name": "own.txt", "mimeType": "text/plain", "buffer": RULES.encode()}]
    )
    files = page.get_by_role("list", name="Knowledge")
    expect(files.get_by_role("link", name="own.txt")).to_be_visible()
    page.locator(".gpt-head .primary").click()
    dialog = dialog_on(page)
    dialog.get_by_role("radio", name="Chosen people of this project").click()
    dialog.get_by_role("combobox", name="People").click()
    # Somebody else of the project, by a name that nobody knows here.
    page.get_by_role("option").first.click()
    page.keyboard.press("Escape")
    dialog.locator(".primary").click()
    expect(page.get_by_text("Version 1 is published.")).to_be_visible()
    gpt = gpt_of(studio, page)
    assert (gpt["visibility"], len(gpt["shared_with"]), len(gpt["draft"]["knowledge"])) == ("people", 1, 1)
    expect(files.locator(".wrong")).to_have_count(0)


def test_a_viewer_is_told_that_they_cannot(visit: Open, studio: Studio) -> None:
    state = colleague(visit, studio, "viewer")
    page = visit("/gpts/new", state=state)
    expect(page.get_by_text("Your role in this project is viewer")).to_be_visible()


@pytest.mark.parametrize(("language", "theme", "size"), [("en", "light", DESKTOP), ("zh", "dark", PHONE)])
def test_everybody_can_use_the_form(
    edit: Edit, studio: Studio, language: str, theme: str, size: tuple[int, int]
) -> None:
    gpt = made(studio, "Axe", instructions="A", conversation_starters=["B"], tags=["c"], category="games")
    studio.api.post(f"/gpts/{gpt['id']}/publish", cast_to=object, body={"notes": "One."})
    studio.api.post(f"/gpts/{gpt['id']}", cast_to=object, body={"instructions": "B"})
    page = edit(gpt, language=language, theme=theme, size=size)
    assert obstacles(page) == []
    page.locator(".part-versions").click()
    expect(page.locator(".gpt-difference")).to_have_count(1)
    assert obstacles(page) == []
    page.locator(".gpt-head .primary").click()
    expect(dialog_on(page).locator(".gpt-difference")).to_have_count(1)
    assert obstacles(page, ".dialog") == []


@pytest.mark.parametrize(
    "auth",
    [
        {"type": "api_key", "in": "header", "name": "Authorization", "prefix": "Token"},
        {"type": "api_key", "in": "header", "name": "X-Api-Key", "prefix": "Bearer"},
        {"type": "oauth", "flow": "client_credentials", "client_id": "us", "token_url": "https://8.8.8.8/token"},
    ],
)
def test_a_new_secret_changes_nothing_else_of_an_authentication(
    edit: Edit, studio: Studio, auth: dict[str, Any]
) -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": f"Winds {auth.get('prefix')}", "version": "1"},
        "servers": [{"url": "https://8.8.8.8"}],
        "paths": {"/winds": {"get": {"operationId": "listWinds"}}},
    }
    secret = {"key": "old-key"} if auth["type"] == "api_key" else {"client_secret": "old-secret"}
    body = {"type": "action", "document": json.dumps(document), "auth": {**auth, **secret}}
    connection: Any = studio.api.post("/connections", cast_to=object, body=body)
    page = edit(made(studio, "Windy", connections=[connection["id"]]))
    one = page.locator(".gpt-connection", has_text=connection["name"])
    one.get_by_role("button", name="Authentication").click()
    dialog = page.get_by_role("dialog", name=f"Authentication of {connection['name']}")
    dialog.get_by_label("Key" if auth["type"] == "api_key" else "Client secret", exact=True).fill("new-secret")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    found: Any = studio.api.get(f"/connections/{connection['id']}", cast_to=object)
    assert {key: found["auth"].get(key) for key in auth} == auth


def test_its_guest_links_and_its_analytics_are_found_from_the_form(edit: Edit, studio: Studio) -> None:
    page = edit(made(studio, "Found"))
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Guest links and widget").click()
    page.wait_for_url("**/gpts/gpt_*/links")
    expect(page.get_by_text("There are no guest links yet.")).to_be_visible()
    page.get_by_role("link", name="Edit this GPT").click()
    page.wait_for_url("**/gpts/edit/gpt_*")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Analytics").click()
    expect(page.get_by_role("heading", name="How Found is used")).to_be_visible()
