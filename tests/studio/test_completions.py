"""The playground for chat completions."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from typing import Any

from playwright.sync_api import Page, expect

from tests.faults.harness import KEY
from tests.scripted import Call, Reply

from .conftest import PHONE, Open, Studio, dialog_on, enter

PATH = "/playground/chat"
#: Whether the tab remembers something with these words.
REMEMBERED = "(words) => Object.values(sessionStorage).some((one) => one.includes(words))"
#: A picture of one pixel.
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def ask(page: Page, text: str) -> None:
    field = page.get_by_label("Text of message 2")
    field.fill(text)
    field.press("Control+Enter")


def answers(page: Page) -> Any:
    return page.get_by_role("region", name=re.compile("Answer of"))


def test_a_model_answers_and_the_answer_joins_the_messages(visit: Open, studio: Studio) -> None:
    page = visit(PATH)
    page.get_by_label("Text of message 1").fill("Be terse.")
    studio.upstream.script(Reply(text="**Paris**, of course.", usage=(11, 4)))
    ask(page, "Capital of France?")
    answer = answers(page)
    expect(answer.locator("strong")).to_have_text("Paris")
    expect(answer).to_contain_text("finish_reason: stop")
    expect(answer).to_contain_text(re.compile(r"first token after \d+\.\d\d s.*11 \+ 4 tokens"))
    sent = studio.upstream.requests[-1]
    assert sent["messages"] == [
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "Capital of France?"},
    ]
    assert set(sent) <= {"model", "messages", "stream", "stream_options"}
    answer.get_by_role("button", name="Add to the messages").click()
    expect(page.get_by_label("Text of message 3")).to_have_value("**Paris**, of course.")
    expect(page.get_by_label("Text of message 4")).to_be_focused()
    expect(answer.locator("strong")).to_have_count(0)
    page.get_by_role("button", name="Remove message 1").click()
    expect(page.get_by_label("Text of message 1")).to_have_value("Capital of France?")


def test_models_answer_side_by_side_and_one_that_fails_does_not_stop_the_other(visit: Open, studio: Studio) -> None:
    page = visit(PATH)
    page.get_by_role("button", name="Compare").click()
    expect(answers(page)).to_have_count(2)
    enter(page.get_by_label("Model", exact=True).nth(1), "gpt-4o")
    expect(page.get_by_role("region", name="Answer of gpt-4o")).to_be_visible()

    def reply(request: dict[str, Any]) -> Reply:
        return next(replies)

    replies = iter([Reply(status=400, error={"message": "Not today."}), Reply(text="Here I am.")])
    studio.upstream.script(reply, reply)
    ask(page, "Who is there?")
    expect(answers(page).get_by_role("alert").filter(has_text="Not today.")).to_have_count(1)
    expect(answers(page).filter(has_text="Here I am.")).to_have_count(1)


def test_parameters_are_sent_and_survive_a_reload_with_everything_else(visit: Open, studio: Studio) -> None:
    page = visit(PATH)
    page.get_by_label("temperature").first.fill("0.5")
    page.get_by_role("button", name=re.compile("Output")).click()
    page.get_by_label("stop", exact=True).fill("END\n\\n")
    page.get_by_role("button", name=re.compile("Tools")).click()
    page.get_by_role("button", name="Put an example into tools").click()
    page.get_by_label("tool_choice").click()
    page.get_by_role("option", name="function: get_weather").click()
    expect(page.get_by_text("Set and sent: 4")).to_be_visible()
    studio.upstream.script(Reply(tool_calls=[Call("get_weather", {"city": "奥斯陆"}, id="call_weather")]))
    ask(page, "Weather?")
    expect(answers(page)).to_contain_text("get_weather")
    expect(answers(page)).to_contain_text('"city": "奥斯陆"')
    sent = studio.upstream.requests[-1]
    assert (sent["temperature"], sent["stop"]) == (0.5, ["END", "\n"])
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
    assert "top_p" not in sent
    page.wait_for_function(REMEMBERED, arg="call_weather")
    page.reload()
    expect(page.get_by_label("Text of message 2")).to_have_value("Weather?")
    expect(page.get_by_label("temperature").first).to_have_value("0.5")
    expect(answers(page)).to_contain_text('"city": "奥斯陆"')
    answers(page).get_by_role("button", name="Add to the messages").click()
    page.get_by_label("Text of message 4").fill("12 °C")
    studio.upstream.script(Reply(text="Cold."))
    page.get_by_role("button", name="Run").click()
    expect(answers(page)).to_contain_text("Cold.")
    call, output = studio.upstream.requests[-1]["messages"][-2:]
    assert call["tool_calls"][0]["id"] == output["tool_call_id"] == "call_weather"
    assert output["content"] == "12 °C"
    page.get_by_role("button", name="Clear all parameters").click()
    expect(page.get_by_text("None is set")).to_be_visible()


def probable(token: str, share: float, *others: tuple[str, float]) -> dict[str, Any]:
    def entry(text: str, of: float) -> dict[str, Any]:
        return {"token": text, "bytes": list(text.encode()), "logprob": math.log(of)}

    return {**entry(token, share), "top_logprobs": [entry(*one) for one in [(token, share), *others]]}


def test_probabilities_are_shown_by_keyboard_in_chinese_on_a_phone(visit: Open, studio: Studio) -> None:
    page = visit(PATH, language="zh", theme="dark", size=PHONE)
    page.get_by_role("button", name="参数", exact=True).click()
    page.get_by_role("button", name=re.compile("概率")).click()
    page.get_by_label("logprobs", exact=True).click()
    page.get_by_role("option", name="true").click()
    page.get_by_label("top_logprobs").fill("2")
    page.get_by_role("button", name="关闭").click()
    expect(page.get_by_role("button", name="参数", exact=True)).to_be_focused()
    page.get_by_label("第 2 条消息的内容").fill("首都？")
    tokens = [probable("巴", 0.95), probable("黎", 0.25, ("西", 0.7))]
    studio.upstream.script(Reply(text="巴黎", token_logprobs=tokens))
    page.get_by_role("button", name="运行").click()
    page.get_by_role("button", name="显示概率").click()
    assert studio.upstream.requests[-1]["top_logprobs"] == 2
    listed = page.get_by_role("listbox", name="回答的词元")
    expect(listed.get_by_role("option")).to_have_count(2)
    listed.focus()
    page.keyboard.press("End")
    expect(page.get_by_role("status").filter(has_text="“黎”，概率 25.0 %")).to_contain_text("70.0 %")
    page.get_by_role("button", name="显示文本").click()
    expect(listed).to_be_hidden()


def test_an_answer_is_stopped_and_the_model_learns_it(visit: Open, studio: Studio) -> None:
    page = visit(PATH)
    before = studio.upstream.disconnects
    studio.upstream.script(Reply(text="It goes on and", hang=True))
    ask(page, "Tell me everything")
    expect(answers(page)).to_contain_text("It goes on and")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(answers(page).get_by_role("alert")).to_have_text("Stopped.")
    expect(answers(page)).to_contain_text("It goes on and")
    expect(page.get_by_role("button", name="Run")).to_be_focused()
    for _ in range(100):
        if studio.upstream.disconnects > before:
            break
        page.wait_for_timeout(100)
    assert studio.upstream.disconnects > before


def test_where_all_begins_anew_nothing_is_said_of_what_was_stopped(visit: Open, studio: Studio) -> None:
    page = visit(PATH)
    studio.upstream.script(Reply(text="It goes on and", hang=True))
    ask(page, "Tell me everything")
    expect(answers(page)).to_contain_text("It goes on and")
    page.get_by_role("button", name="New", exact=True).click()
    expect(page.get_by_role("button", name="Run")).to_be_visible()
    expect(answers(page)).to_contain_text("The answer will stand here.")
    expect(answers(page).get_by_role("alert")).to_be_hidden()


def test_several_choices_each_stand_apart(visit: Open, studio: Studio) -> None:
    page = visit(PATH)
    page.get_by_role("button", name=re.compile("Output")).click()
    page.get_by_label("n", exact=True).fill("2")
    studio.upstream.script(Reply(text="One of two."))
    ask(page, "Twice?")
    expect(answers(page).get_by_text("One of two.")).to_have_count(2)
    expect(answers(page)).to_contain_text("Choice 2")
    expect(answers(page).get_by_role("button", name="Add to the messages")).to_have_count(2)


def test_tokens_are_counted_while_a_message_is_written(visit: Open) -> None:
    page = visit(PATH)
    page.get_by_label("Text of message 2").fill("Hello there")
    expect(answers(page)).to_contain_text(re.compile(r"≈ 9 of [\d,]+ tokens in the prompt"))


def test_what_cannot_be_sent_is_said(visit: Open, studio: Studio) -> None:
    page = visit(PATH)
    asked = len(studio.upstream.requests)
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("Write a message first.")).to_be_visible()
    page.get_by_label("logit_bias", exact=True).fill("{5}")
    expect(page.get_by_text("logit_bias is no JSON: look at 1:2").first).to_be_visible()
    ask(page, "Hi")
    expect(page.locator(".q-notification").filter(has_text="logit_bias is no JSON")).to_be_visible()
    assert len(studio.upstream.requests) == asked


def test_the_code_asks_the_same(visit: Open, studio: Studio) -> None:
    page = visit(PATH)
    page.get_by_label("temperature").first.fill("0.25")
    page.get_by_label("Text of message 2").fill('What\'s "up"? 你好')
    page.get_by_role("button", name="View code").click()
    dialog = dialog_on(page)
    expect(dialog.locator("code")).to_contain_text("0.25")
    text = dialog.locator("code").inner_text()
    studio.upstream.script(Reply(text="好的 👋", usage=(3, 4)))
    environment = {"OPENAI_API_KEY": KEY, "PYTHONIOENCODING": "utf-8", "PATH": ""}
    ran = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, timeout=60, check=False)
    assert ran.stdout.decode() == "好的 👋\n7 tokens\n", ran.stderr.decode()
    sent = studio.upstream.requests[-1]
    assert (sent["temperature"], sent["messages"][-1]["content"]) == (0.25, 'What\'s "up"? 你好')
    dialog.get_by_label("Language").click()
    page.get_by_role("option", name="curl").click()
    expect(dialog.locator("code")).to_contain_text("curl -N")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="View code")).to_be_focused()


def test_pictures_and_files_go_with_a_message_and_can_be_taken_away_in_chinese(visit: Open, studio: Studio) -> None:
    page = visit(PATH, language="zh", theme="dark", size=PHONE)
    message = page.get_by_role("group", name="第 2 条消息")
    dropped = """([kind, name, data]) => {
        const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
        const given = new DataTransfer();
        given.items.add(new File([bytes], name, { type: kind }));
        return given;
    }"""
    picture = page.evaluate_handle(dropped, ["image/png", "dot.png", DOT])
    message.locator(".words").dispatch_event("drop", {"dataTransfer": picture})
    files = page.get_by_role("list", name="第 2 条消息的文件")
    expect(files.get_by_role("listitem")).to_have_count(1)
    expect(files.locator("img")).to_have_js_property("naturalWidth", 1)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="为第 2 条消息添加文件").click()
    note: Any = {"name": "note.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"}
    chooser.value.set_files([note, {**note, "name": "other.pdf"}])
    expect(files.get_by_role("listitem")).to_have_count(3)
    files.get_by_role("button", name="移除 other.pdf").click()
    expect(files.get_by_role("listitem")).to_have_count(2)
    page.get_by_role("button", name="查看代码").click()
    code = page.get_by_role("dialog", name="查看代码")
    expect(code).to_contain_text("此处省略了图片和文件的数据。")
    expect(code).to_contain_text("data:image/png;base64,")
    assert DOT not in (code.text_content() or "")
    code.get_by_role("button", name="关闭").click()
    expect(code).to_have_count(0)
    studio.upstream.script(Reply(text="一个点。"))
    page.get_by_label("第 2 条消息的内容").fill("这是什么？")
    page.get_by_label("第 2 条消息的内容").press("Control+Enter")
    expect(page.get_by_text("一个点。")).to_be_visible()
    assert studio.upstream.requests[-1]["messages"][-1]["content"] == [
        {"type": "text", "text": "这是什么？"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DOT}"}},
        {"type": "file", "file": {"filename": "note.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQ="}},
    ]
    page.wait_for_function(REMEMBERED, arg="note.pdf")
    page.reload()
    expect(files.get_by_role("listitem")).to_have_count(2)


def test_owners_see_what_an_answer_costs_where_the_model_has_a_price(visit: Open, studio: Studio) -> None:
    page = visit(PATH)
    asked = """async (prices) => {
        const me = await (await fetch('/v1/me')).json();
        const headers = {'content-type': 'application/json', 'x-csrf-token': me.csrf_token};
        const body = JSON.stringify({name: 'm', input_price: prices[0], output_price: prices[1]});
        return (await fetch('/v1/organization/models', {method: 'POST', headers, body})).status;
    }"""
    studio.upstream.script(Reply(text="Free.", usage=(11, 4)), Reply(text="Dear.", usage=(1000, 2000)))
    ask(page, "What does it cost?")
    expect(answers(page)).to_contain_text("11 + 4 tokens")
    expect(answers(page)).not_to_contain_text("$")
    assert page.evaluate(asked, [3, 15]) == 200
    try:
        page.wait_for_function(REMEMBERED, arg="Free.")
        page.reload()
        expect(answers(page)).to_contain_text("Free.")
        ask(page, "And now?")
        expect(answers(page)).to_contain_text("1000 + 2000 tokens · about $0.033")
    finally:
        assert page.evaluate(asked, [None, None]) == 200
