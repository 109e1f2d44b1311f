"""The chat page."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.scripted import Reply

from .conftest import Open, Studio

ANSWER = """**重点：**一句话。

| n | n² |
|---|---|
| 2 | 4 |

$a^2 + b^2 = c^2$

```python
print("<b>")
```

<script>alert(1)</script> ![x](http://elsewhere.example/a.png)"""


def test_an_answer_has_tables_maths_and_code_and_nothing_of_it_is_taken_for_a_page(visit: Open, studio: Studio) -> None:
    studio.upstream.script(Reply(text=ANSWER))
    page = visit("/")
    page.get_by_label("Write a message").fill("Show me")
    page.keyboard.press("Enter")
    answer = page.get_by_role("article").nth(1)
    expect(answer.get_by_role("cell", name="4")).to_be_visible()
    expect(answer.locator("strong")).to_have_text("重点：")
    expect(answer.locator(".katex").first).to_be_visible()
    expect(answer.locator(".hljs-string")).to_have_text('"<b>"')
    expect(answer).to_contain_text("<script>alert(1)</script>")
    assert answer.locator("script, img").count() == 0
    expect(page.get_by_role("button", name="Send")).to_be_visible()
