"""Pictures of all pages for the documentation: `make screenshots` writes docs/images.

No test: its name keeps it out of the ordinary run.
"""

# pyright: reportDeprecated=false

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Page

from retinue.studio.pages import PAGES
from tests.scripted import Call, Reply

from .conftest import DESKTOP, PHONE, Open, Studio

IMAGES = Path(__file__).parents[2] / "docs" / "images"
HANDBOOK = """# Handbook of the harbour office

Berths one to six lie along the east quay. A night costs eighteen crowns for ships below ten metres.

The ferry to Sandholm leaves at a quarter past seven, at noon and at ten to six; on Sundays only at noon.
"""
ANSWER = """Subtract 11 from both sides, then divide by 3:

$$3x = 14 - 11 = 3 \\quad\\Rightarrow\\quad x = 1$$

| step | equation |
|---|---|
| begin | $3x + 11 = 14$ |
| subtract 11 | $3x = 3$ |
| divide by 3 | $x = 1$ |

```python
x = (14 - 11) / 3
assert 3 * x + 11 == 14
```"""

#: Whoever looks at the pictures is shown the folder that a server has of itself, not the test's.
_AT_HOME = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const own = /\\/(tmp\\/\\S*?\\/data|root\\/\\.local\\/share\\/retinue)/g;
    node.data = node.data.replace(own, '~/.local/share/retinue');
  }
}"""


@pytest.fixture(scope="session")
def filled(studio: Studio) -> Sequence[tuple[str, str]]:
    """Something to see on every page; returns names and addresses of pages that show one thing."""
    beta, api = studio.api.beta, studio.api
    weather = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    store = api.vector_stores.create(name="Harbour")
    api.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("handbook.md", HANDBOOK.encode()))
    assistant = beta.assistants.create(
        model="m",
        name="Math tutor",
        instructions="You are a patient math tutor. Show each step.",
        tools=[{"type": "file_search"}, {"type": "function", "function": {"name": "weather", "parameters": weather}}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    for question in ("What is a prime number?", "解释一下勾股定理", "Draw a parabola"):
        beta.threads.create(messages=[{"role": "user", "content": question}])
    thread = beta.threads.create(messages=[{"role": "user", "content": "Solve 3x + 11 = 14."}])
    search = Call("file_search", {"queries": ["solve linear equation"]})
    studio.upstream.script(Reply(tool_calls=[search]), Reply(text=ANSWER))
    run = beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed", run.last_error
    return (
        ("chat-with-answer", f"/chat/{thread.id}"),
        ("playground-with-answer", f"/playground/{assistant.id}?thread={thread.id}"),
        ("run", f"/runs/{thread.id}/{run.id}"),
        ("vector-store", f"/vector-stores/{store.id}"),
    )


def picture(page: Page, name: str) -> None:
    """Take a picture of what is seen."""
    IMAGES.mkdir(exist_ok=True)
    page.get_by_role("main").wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1000)
    page.evaluate(_AT_HOME)
    page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh", "dark")])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pictures(
    visit: Open, filled: Sequence[tuple[str, str]], language: str, theme: str, size: tuple[int, int]
) -> None:
    plain = [(page.path.strip("/").replace("/", "-") or "chat", page.path) for page in PAGES if "{" not in page.path]
    for name, path in (*plain, *filled):
        page = visit(path, language=language, theme=theme, size=size)
        picture(page, f"{name}-{theme}-{'phone' if size == PHONE else 'desktop'}")
        page.close()
