"""Web browsing by the default model: it opens a page on loopback, and its answer carries the address."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from aiohttp import web

from ..faults.harness import Process, Site

pytestmark = [pytest.mark.model, pytest.mark.timeout(900), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

PAGE = """<!doctype html><html><head><title>{title}</title></head><body><nav><a href="/">Home</a></nav><main>
<h1>{title}</h1><p>{text}</p></main></body></html>"""
PAGES = {
    "/festival": PAGE.format(title="Festival of Lund", text="The Zorblax festival of Lund takes place on 17 May. " * 3),
    "/library": PAGE.format(title="青石桥图书馆", text="青石桥图书馆每周三闭馆，其余时间照常开放。" * 3),
}


@pytest.fixture(scope="module")
async def server(default_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    """`retinue serve`, which may reach loopback."""
    settings = {"RETINUE_MODEL_SOURCE": "pypi", "RETINUE_EGRESS_ALLOW": '["127.0.0.1"]'}
    site = Site(tmp_path_factory.mktemp("browsing"), **settings)
    try:
        yield await site.serve()
    finally:
        await site.close()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A web site."""

    async def answer(request: web.Request) -> web.Response:
        found = PAGES.get(request.path)
        return web.Response(text=found, content_type="text/html") if found else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "question", "fact"),
    [
        ("/festival", "Open {address} and tell me on which day the Zorblax festival takes place.", "17"),
        ("/library", "打开 {address} ，告诉我青石桥图书馆星期几闭馆。", "三"),
    ],
)
async def test_a_fact_from_a_page(client: openai.AsyncOpenAI, url: str, path: str, question: str, fact: str) -> None:
    tools: Any = [{"type": "web_browsing"}]
    assistant = await client.beta.assistants.create(model="default", temperature=0, tools=tools)
    address = url + path
    thread: Any = {"messages": [{"role": "user", "content": question.format(address=address)}]}
    run = await client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread)
    assert run.status == "completed", run.last_error
    (answer,) = (await client.beta.threads.messages.list(run.thread_id, limit=1)).data[0].content
    assert answer.type == "text"
    assert fact in answer.text.value
    assert address in answer.text.value
