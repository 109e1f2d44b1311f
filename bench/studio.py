"""Measures the pages in Chromium: how soon each is seen, how soon a long chat is and how it scrolls, what an open
stream costs the server.

    python bench/studio.py [--messages 500] [--streams 4] [--seconds 20] [--repeat 10]

Starts the model-free upstream (needs node) and a Retinue, signs somebody up in a browser (needs chromium and the
packages of the tests), and writes a section of RESULTS.md.
"""

import argparse
import asyncio
import os
import re
import shutil
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from results import circumstances, write_section
from retinue.studio.pages import PAGES
from servers import KEY, limited, serve_retinue, start_upstream

#: Tokens a second of a stream: one every 10 ms.
PACE_MS = 10
QUICK, SLOW = "mock-t0-i0-n16", "mock-t0-i{pace}-n{tokens}"
_ANSWER = """Point {number}: **bold**, `code` and a [link](https://example.com).

| n | square |
|---|---|
| {number} | {number} |

```python
def square(n: int) -> int:
    return n * n
```
"""

#: Scrolls from the top to the end; returns the ms between frames.
_SCROLL = """box => new Promise((done) => {
  const gaps = [];
  box.scrollTop = 0;
  let last = 0;
  const step = (now) => {
    if (last) gaps.push(now - last);
    last = now;
    box.scrollTop += 200;
    if (box.scrollTop + box.clientHeight >= box.scrollHeight - 1) done(gaps);
    else requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU that a process has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def signed_in(browser: Browser, work: Path, url: str) -> BrowserContext:
    """A browser's context with somebody signed in, by the link that the server wrote."""
    logs = "\n".join(log.read_text(errors="replace") for log in work.rglob("*.log"))
    found = re.search(r"/welcome\?token=\S+", logs)
    assert found, "the server has written no link to sign up"
    context = await browser.new_context(locale="en", viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    await page.goto(url + found[0])
    await page.get_by_label("Name").fill("Bench")
    await page.get_by_label("Email address").fill("bench@example.com")
    await page.get_by_label("New password").fill("correct horse battery")
    await page.get_by_role("button").click()
    await page.wait_for_url("**/start")
    await page.close()
    return context


async def first_paint(page: Page, url: str, repeat: int) -> tuple[float, float]:
    """Medians in ms, warm: until the first content is painted, and until a message can be written."""
    painted, usable = [], []
    for number in range(repeat + 1):
        began = time.perf_counter()
        await page.goto(url, wait_until="commit")
        await page.get_by_label("Write a message").wait_for()
        taken = (time.perf_counter() - began) * 1000
        paint = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
        if number:
            painted.append(paint)
            usable.append(taken)
    return statistics.median(painted), statistics.median(usable)


async def painted(page: Page, url: str, repeat: int) -> float:
    """Median ms, warm, until the first content of a page is painted."""
    taken: list[float] = []
    for number in range(repeat + 1):
        await page.goto(url, wait_until="commit")
        await page.get_by_role("main").wait_for()
        await page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        if number:
            taken.append(await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    return statistics.median(taken)


async def scrolled(page: Page, messages: int) -> tuple[float, float, float]:
    """Load a whole chat by scrolling up, then scroll through it, 200 pixels a frame.

    Returns:
        seconds until all messages were there; ms between two frames, the median and the longest but 1 %.
    """
    box, articles = page.get_by_role("region", name="Conversation"), page.get_by_role("article")
    began = time.perf_counter()
    while (before := await articles.count()) < messages:
        await box.evaluate("box => { box.scrollTop = 0; }")
        await page.wait_for_function("n => document.querySelectorAll('article').length > n", arg=before)
    loaded = time.perf_counter() - began
    gaps: list[float] = await box.evaluate(_SCROLL)
    return loaded, statistics.median(gaps), sorted(gaps)[int(len(gaps) * 0.99)]


async def opened(page: Page, url: str, last: str, repeat: int) -> float:
    """Median ms until the last message of a chat is seen."""
    taken = []
    for number in range(repeat + 1):
        began = time.perf_counter()
        await page.goto(url, wait_until="commit")
        await page.get_by_text(last).wait_for()
        if number:
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


async def streamed(context: BrowserContext, url: str, pid: int, streams: int, seconds: float) -> tuple[float, float]:
    """Percent of a core that an open stream costs the server, and characters by which the pages are behind."""
    pages = [await context.new_page() for _ in range(streams)]
    model = SLOW.format(pace=PACE_MS, tokens=int((seconds + 30) * 1000 / PACE_MS))
    for page in pages:
        await page.goto(f"{url}/?model={model}")
        await page.get_by_label("Write a message").fill("Go on")
        await page.keyboard.press("Enter")
    for page in pages:
        await page.get_by_text("tok50").wait_for()
    count = "document.querySelectorAll('article')[1].textContent.match(/tok\\d+/g).length"
    before, began = cpu_seconds(pid), time.perf_counter()
    first = [await page.evaluate(count) for page in pages]
    await asyncio.sleep(seconds)
    used, lasted = cpu_seconds(pid) - before, time.perf_counter() - began
    last = [await page.evaluate(count) for page in pages]
    shown = statistics.mean(after - earlier for earlier, after in zip(first, last, strict=True)) / lasted
    for page in pages:
        await page.close()
    return used / lasted / streams * 100, shown


async def measure(options: argparse.Namespace, work: Path) -> None:
    """Start everything, measure, write the section."""
    chromium = shutil.which("chromium")
    assert chromium, "no chromium on the PATH"
    async with AsyncExitStack() as stack:
        upstream, _ = await start_upstream(stack, work)
        slow = SLOW.format(pace=PACE_MS, tokens=int((options.seconds + 30) * 1000 / PACE_MS))
        models = "".join(f'[models."{name}"]\nbase_url = "{upstream}"\n' for name in (QUICK, slow))
        base, pid = await serve_retinue(stack, work, f'default_model = "{QUICK}"\n{models}')
        url = "{0.scheme}://{0.netloc}".format(urlsplit(base))
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        stack.push_async_callback(browser.close)
        context = await signed_in(browser, work, url)
        page = await context.new_page()
        first, usable = await first_paint(page, f"{url}/", options.repeat)
        said = [
            {"role": "assistant" if number % 2 else "user", "content": _ANSWER.format(number=number)}
            for number in range(options.messages)
        ]
        headers = {"authorization": f"Bearer {KEY}"}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        async with session.post(f"{url}/v1/threads", json={"messages": said}) as answer:
            assert answer.status == 200, await answer.text()
            thread = (await answer.json())["id"]
        long = await opened(page, f"{url}/chat/{thread}", f"Point {options.messages - 1}:", options.repeat)
        loaded, frame, slow_frame = await scrolled(page, options.messages)
        paths = [one.path for one in PAGES if "{" not in one.path and one.path != "/"]
        each = {path: await painted(page, url + path, max(options.repeat // 2, 1)) for path in paths}
        await page.close()
        percent, shown = await streamed(context, url, pid, options.streams, options.seconds)
    lines = [
        circumstances(),
        "",
        f"Chromium on the same machine, warm, medians of {options.repeat}.",
        "",
        "| what | measured |",
        "|---|---|",
        f"| the chat page, until its first content is painted | {first:.0f} ms |",
        f"| the chat page, until one can write | {usable:.0f} ms |",
        f"| a chat of {options.messages} messages, until its last is seen | {long:.0f} ms |",
        f"| such a chat, until all of it has come by scrolling up | {loaded:.1f} s |",
        f"| scrolling through all of it: between two frames, median | {frame:.0f} ms |",
        f"| the same, 99 % of the frames | {slow_frame:.0f} ms |",
        f"| CPU of the server for each of {options.streams} open streams of {1000 // PACE_MS} tokens a second "
        f"| {percent:.1f} % of a core |",
        f"| tokens a second that such a page shows | {shown:.0f} |",
    ]
    lines += ["", "| page | first content painted |", "|---|---|"]
    lines += [f"| `{path}` | {taken:.0f} ms |" for path, taken in each.items()]
    write_section("Pages", lines)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--limit", type=float, default=600, help="seconds after which everything is ended")
    await limited(measure, parser.parse_args())


if __name__ == "__main__":
    asyncio.run(main())
