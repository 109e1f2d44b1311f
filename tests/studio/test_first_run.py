"""From the link that the first start prints to the first answer, and the pages on the way: as a new person goes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.scripted import Reply

from .conftest import DESKTOP, PASSWORD, PATIENCE, PHONE, Open, Studio, begun, obstacles

New = tuple[Studio, str]


@pytest.fixture(scope="module")
def new(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[New]:
    """A server that nobody has been to yet, with its link."""
    with begun(postgres, tmp_path_factory.mktemp("new"), "new", RETINUE_CHAT_TITLES="off") as made:
        yield made


def browse(chromium: Browser, language: str = "en", theme: str = "light", size: tuple[int, int] = DESKTOP) -> Page:
    """A page of a browser that has not been here before."""
    page = chromium.new_page(
        locale="zh-CN" if language == "zh" else "en",
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": size[0], "height": size[1]},
    )
    page.set_default_timeout(PATIENCE)
    return page


@pytest.mark.parametrize(("language", "theme", "size"), [("en", "light", DESKTOP), ("zh", "dark", PHONE)])
def test_the_welcome_can_be_read_by_everybody(
    new: New, chromium: Browser, language: str, theme: str, size: tuple[int, int]
) -> None:
    page = browse(chromium, language, theme, size)
    page.goto(new[1])
    title = "欢迎使用 Retinue" if language == "zh" else "Welcome to Retinue"
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    assert obstacles(page, minor=True) == []
    page.close()


def test_from_the_link_to_the_first_answer_in_four_steps(new: New, chromium: Browser) -> None:
    studio, link = new
    studio.upstream.script(Reply(text="Interest is what a bank pays you for your money."))
    page = browse(chromium)
    # 1. Open the link that the server has printed.
    page.goto(link)
    # 2. Say who you are.
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Email address").fill("ada@example.com")
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Begin").click()
    # 3. Choose an assistant in the guide.
    expect(page.get_by_role("heading", level=1)).to_have_text("Get started")
    page.get_by_role("button", name="Tutor").click()
    # 4. Send the question that stands ready.
    expect(page.get_by_label("Write a message")).to_have_value("Explain to me how interest on savings works.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("article").last).to_contain_text("Interest is what a bank pays you")
    page.close()


def test_whoever_has_no_agents_is_told_what_they_are(visit: Open) -> None:
    page = visit("/agents")
    expect(page.get_by_role("heading", name="What an agent is")).to_be_visible()
    page.get_by_role("button", name="Start a first agent").click()
    page.wait_for_url("**/agents/new")


@pytest.mark.parametrize(("language", "theme", "size"), [("en", "light", DESKTOP), ("zh", "dark", PHONE)])
def test_signing_in_leads_to_what_was_wanted_and_the_account_back(
    visit: Open, studio: Studio, language: str, theme: str, size: tuple[int, int]
) -> None:
    chinese = language == "zh"
    page = visit("/files", state={}, language=language, theme=theme, size=size)
    assert obstacles(page, minor=True) == []
    page.get_by_label("电子邮箱" if chinese else "Email address").fill("ada@example.com")
    page.get_by_label("密码" if chinese else "Password").fill(PASSWORD)
    page.get_by_role("button", name="登录" if chinese else "Sign in").click()
    page.wait_for_url(f"{studio.url}/files")
    page.get_by_role("button", name="我的账号: Ada" if chinese else "Your account: Ada").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("我的账号" if chinese else "Your account")
    assert obstacles(page, minor=True) == []
    page.get_by_role("link", name="返回工作台" if chinese else "Back to the studio").click()
    expect(page.get_by_label("输入消息" if chinese else "Write a message")).to_be_visible()
    page.goto(f"{studio.url}/sign-in")
    page.wait_for_url(f"{studio.url}/")
