"""Something to see on every page, for the pictures of them."""

# pyright: reportDeprecated=false

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from openai.types.beta.threads import Run
from playwright.sync_api import Page, expect

from tests.scripted import Call, Reply

from . import test_gpt_analytics as analytics
from . import test_gpt_create as talks
from .conftest import Studio
from .people import let_in
from .test_agents import get, post, reached, thinks, until

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
PLOT = """import numpy as np
import matplotlib.pyplot as plt

x = np.linspace(-3, 3, 200)
plt.figure(figsize=(5, 2.6))
plt.plot(x, x**2 - 2)
plt.axhline(0, color="grey")
plt.show()
print("roots:", np.roots([1, 0, -2]).round(3))"""
DRAWN = "The parabola $y = x^2 - 2$ crosses the axis at $x = -\\sqrt 2$ and at $x = \\sqrt 2$, as the plot shows."
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WHIST = "No trump was played, so the **highest card of the suit that was led** takes the trick: the ace of hearts."
POEM = (
    "The tide comes in on quiet feet,\nand boats lift up their heads to greet\nthe gulls, the grey, the morning heat."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """How to come to what a picture shows."""

    path: str
    #: What is done on the page first.
    prepare: Callable[[Page, Studio], object] = lambda page, studio: None
    #: Whether it is Ada who looks, or somebody who is signed in nowhere.
    signed_in: bool = True


class Samples:
    """What is to be seen, made by the API, by a person's session, and as a person would."""

    def __init__(self, studio: Studio, ada: Page) -> None:
        """`ada`: a page of Ada's."""
        self._studio, self._ada = studio, ada
        self._me = ada.request.get(f"{studio.url}/v1/me").json()

    def fill(self) -> Mapping[str, Shown]:
        """Make everything; returns how pages that need more than their path are come to, by the pictures' names."""
        self._use()
        let_in(self._ada, self._studio, "Grace")
        assistant = self._tutor()
        solved, drawn = self._conversations(assistant)
        gpt = self._store()
        completion, request = self._completion()
        invited = self._by_ada("/organization/invites", {"email": "linus@example.com", "role": "reader"})
        return {
            "chat-with-answer": Shown(f"/chat/{solved.thread_id}"),
            "playground-with-answer": Shown(f"/playground/{assistant}?thread={solved.thread_id}"),
            "run": Shown(f"/runs/{drawn.thread_id}/{drawn.id}"),
            "agent": Shown(f"/agents/{self._agent()}"),
            "vector-store": Shown(f"/vector-stores/{self._harbour}"),
            "log-of-a-completion": Shown(f"/logs/completions/{completion}"),
            "log-of-a-request": Shown(f"/logs/requests/{request}"),
            "welcome": Shown(f"/welcome?{invited['accept_url'].partition('?')[2]}", signed_in=False),
            "sign-in": Shown("/sign-in", signed_in=False),
            "account": Shown("/account"),
            "shared-chat": Shown(self._shared(solved), signed_in=False),
            "tokenizer": Shown("/tokenizer", _tokenize),
            "playground-chat": Shown("/playground/chat", _complete),
            **self._of_gpt(gpt),
        }

    def _by_ada(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask the API as Ada."""
        headers = {"X-CSRF-Token": self._me["csrf_token"], "OpenAI-Beta": "assistants=v2"}
        answer = self._ada.request.post(f"{self._studio.url}/v1{path}", headers=headers, data=dict(body))
        assert answer.ok, answer.text()
        return answer.json()

    def _chat(self, title: str, question: str, assistant: str) -> str:
        """A thread that is among Ada's chats."""
        metadata = {"user": self._me["user"]["id"], "title": title, "assistant": assistant}
        made = self._studio.api.beta.threads.create(messages=[{"role": "user", "content": question}], metadata=metadata)
        return made.id

    def _run(self, thread: str, assistant: str, *replies: Reply) -> Run:
        self._studio.upstream.script(*replies)
        run = self._studio.api.beta.threads.runs.create_and_poll(thread_id=thread, assistant_id=assistant)
        assert run.status == "completed", run.last_error
        return run

    def _tutor(self) -> str:
        api = self._studio.api
        self._harbour = api.vector_stores.create(name="Harbour").id
        api.vector_stores.files.upload_and_poll(vector_store_id=self._harbour, file=("handbook.md", HANDBOOK.encode()))
        tools: Any = [{"type": "file_search"}, {"type": "code_interpreter"}]
        function: Any = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
        return api.beta.assistants.create(
            model="m",
            name="Math tutor",
            instructions="You are a patient math tutor. Show each step.",
            tools=[*tools, function],
            tool_resources={"file_search": {"vector_store_ids": [self._harbour]}},
        ).id

    def _conversations(self, assistant: str) -> tuple[Run, Run]:
        """A run that has searched, and one that has run code."""
        for title in ("Interest on savings", "解释一下勾股定理", "Email to the neighbours"):
            self._run(self._chat(title, title, assistant), assistant, Reply(text="With pleasure."))
        draw = Call("code_interpreter", {"code": PLOT})
        thread = self._chat("Draw a parabola", "Where does y = x² − 2 cross the axis? Draw it.", assistant)
        drawn = self._run(
            thread, assistant, Reply(tool_calls=[draw], usage=(412, 96)), Reply(text=DRAWN, usage=(560, 41))
        )
        search = Call("file_search", {"queries": ["solve a linear equation"]})
        thread = self._chat("Solve an equation", "Solve 3x + 11 = 14.", assistant)
        return self._run(thread, assistant, Reply(tool_calls=[search]), Reply(text=ANSWER)), drawn

    def _agent(self) -> str:
        story = "Once there was a rose by the sea.\n" * 20
        self._studio.upstream.script(
            thinks("write_to_file", "First I write the story.", "Be briefer.", file="story.md", text=story),
            thinks("evaluate_code", "I count its words with Python.", code="print(20 * 7)"),
            thinks("delete_file", "The draft is not needed any more.", file="story.md"),
        )
        goals = ["Write a short story about flowers", "Save it as a file", "Check that it has at most 200 words"]
        body = {"name": "Story-GPT", "role": "an AI that writes stories", "goals": goals, "limits": {"cycles": 30}}
        return reached(self._studio, post(self._studio, "/agents", body), "requires_action")["id"]

    def _completion(self) -> tuple[str, str]:
        """A chat completion that was stored, and its request in the log."""
        self._studio.upstream.script(Reply(text=POEM, usage=(24, 31)))
        asked: Any = [
            {"role": "system", "content": "You write short poems."},
            {"role": "user", "content": "A poem about a harbour in the morning."},
        ]
        made = self._studio.api.chat.completions.create(
            model="m", store=True, messages=asked, metadata={"app": "poems"}
        )
        asked_for = "/request_logs?route=/v1/chat/completions"
        (logged, *_) = until(lambda: get(self._studio, asked_for)["data"], lambda found: bool(found))
        return made.id, logged["id"]

    def _shared(self, run: Run) -> str:
        made = post(self._studio, f"/threads/{run.thread_id}/shares", {"title": "Solve an equation"})
        return "/s/" + made["url"].rpartition("/s/")[2]

    def _store(self) -> Any:
        """GPTs in the store, with reviews, a report and one that is Ada's; returns one that was used for weeks."""
        templates = ("writing-coach", "travel-planner", "recipe-companion", "translator", "data-analyst", "game-time")
        gpt: Any = None
        for template in templates:
            gpt = post(self._studio, f"/gpts/templates/{template}/install", {"language": "en"})
            for notes in ("First.", "Better."):
                post(self._studio, f"/gpts/{gpt['id']}/publish", {"notes": notes, "visibility": "store"})
            said = "Knows its rule book, and says where it stands." if template == "game-time" else "Just what I need."
            self._by_ada(f"/gpts/{gpt['id']}/reviews", {"rating": 5 if template < "r" else 4, "text": said})
        post(self._studio, f"/gpts/{gpt['id']}/moderation", {"featured": True})
        self._by_ada("/gpts/templates/math-tutor/install", {"language": "en"})
        report = {"reason": "misleading", "text": "It says that an ace is always low."}
        self._by_ada(f"/gpts/{gpt['id']}/reports", report)
        analytics.rated(
            self._studio, gpt, "Who leads?", "The player to the dealer's left.", rating="up", comment="Clear."
        )
        told = {"rating": "down", "comment": "It is high.", "share_conversation": True}
        analytics.rated(self._studio, gpt, "Is an ace high in Whist?", "No.", **told)
        analytics.used_for_weeks(self._studio, gpt)
        return gpt

    def _of_gpt(self, gpt: Any) -> Mapping[str, Shown]:
        """The pages of a GPT, and a talk in which one was made."""
        self._ada.goto(f"{self._studio.url}/gpts/create")
        talks.begin(self._ada, self._studio, talks.draft(name="Card table"))
        link = post(self._studio, f"/gpts/{gpt['id']}/links", {"name": "Our shop", "sites": ["https://shop.example"]})
        return {
            "gpt": Shown(f"/gpts/{gpt['slug']}"),
            "gpt-talk": Shown(self._ada.url.removeprefix(self._studio.url)),
            "gpt-form": Shown(f"/gpts/edit/{gpt['id']}"),
            "gpt-links": Shown(f"/gpts/{gpt['id']}/links"),
            "gpt-analytics": Shown(f"/gpts/analytics/{gpt['id']}"),
            "gpt-rating": Shown(self._to_rate(gpt)),
            "guests-chat": Shown(f"/g/{link['token']}", _be_a_guest, signed_in=False),
        }

    def _to_rate(self, gpt: Any) -> str:
        """Where Ada rates an answer."""
        self._studio.upstream.script(Reply(text=WHIST))
        asked = {"messages": [{"role": "user", "content": "Everybody played hearts. Who takes the trick?"}]}
        run = self._by_ada("/threads/runs", {"assistant_id": gpt["id"], "thread": asked})
        threads = self._studio.api.beta.threads
        assert threads.runs.poll(run["id"], thread_id=run["thread_id"]).status == "completed"
        (answer,) = threads.messages.list(run["thread_id"], run_id=run["id"]).data
        return f"/gpts/rate/{gpt['id']}?thread={run['thread_id']}&message={answer.id}"

    def _use(self) -> None:
        """Let models have been used for weeks."""
        noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        with psycopg.connect(self._studio.database) as connection:
            for ago in range(1, 30):
                busy = 0.3 if (noon - timedelta(days=ago)).weekday() > 4 else 1 + ago % 4 / 4
                for model, share in (("m", 1.0), ("gpt-4o", 0.4)):
                    used = [int(busy * share * one) for one in (120, 90_000, 31_000, 14_000, 900_000_000)]
                    connection.execute(
                        "insert into usage_records (minute, project_id, endpoint, key_id, model, assistant_id, "
                        "requests, prompt_tokens, cached_tokens, completion_tokens, images, cost) "
                        "values (%s, 'proj_default', 'runs', '', %s, '', %s, %s, %s, %s, 0, %s)",
                        [noon - timedelta(days=ago), model, *used],
                    )
                for number in range(int(24 * busy)):
                    status = {5: 429, 11: 400, 17: 500}.get((number + ago) % 40, 200)
                    connection.execute(
                        "insert into request_log (project_id, by_page, method, path, model, called_model, status, "
                        "first_ms, total_ms, bytes, id, at) values ('proj_default', false, 'POST', "
                        "'/v1/chat/completions', 'm', true, %s, %s, %s, 900, gen_random_uuid(), %s)",
                        [status, 180 + 13 * number, 1500 + 170 * number + 40 * ago, noon - timedelta(days=ago)],
                    )


def _tokenize(page: Page, studio: Studio) -> None:
    page.locator(".content textarea").first.fill(HANDBOOK + "\n分词器把文本切成词元")
    expect(page.get_by_role("listbox").get_by_role("option").first).to_be_visible()


def _complete(page: Page, studio: Studio) -> None:
    """Have two models answer side by side."""
    studio.upstream.script(Reply(text=POEM, usage=(24, 31)))
    fields = page.locator(".content textarea")
    fields.nth(0).fill("You write short poems.")
    fields.nth(1).fill("A poem about a harbour in the morning.")
    fields.nth(1).press("Control+Enter")
    expect(page.get_by_text("the gulls, the grey")).to_be_visible()


def _be_a_guest(page: Page, studio: Studio) -> None:
    studio.upstream.script(Reply(text=WHIST))
    page.get_by_role("textbox").fill("Everybody played hearts. Who takes the trick?")
    page.get_by_role("textbox").press("Enter")
    expect(page.locator(".message.assistant")).to_contain_text("the ace of hearts")
