"""`retinue agent` and `retinue agents` as people use them: a real server, a real process, a scripted model."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.faults.harness import Json, Process, Site, client_of, environment
from tests.scripted import Reply, ScriptedUpstream


def thinks(name: str, /, **args: Any) -> Reply:
    thoughts = {"text": "t", "reasoning": "r", "plan": "- p", "criticism": "", "speak": f"Now {name}."}
    return Reply(text=orjson.dumps({"thoughts": thoughts, "command": {"name": name, "args": args}}).decode())


DONE = thinks("task_complete", reason="All is done.")


class Command:
    """A command that runs: what it says, and what is typed."""

    def __init__(self, process: asyncio.subprocess.Process, said: asyncio.StreamReader) -> None:
        self._process = process
        self._reader = said
        self.said = ""

    async def until(self, words: str) -> None:
        """Wait until it says this."""
        await self.meets(lambda: words in self.said)

    async def meets(self, condition: Callable[[], bool]) -> None:
        """Wait until what it has said is as wanted."""
        async with asyncio.timeout(60):
            while not condition():
                piece = await self._reader.read(4096)
                assert piece, self.said
                self.said += piece.decode(errors="replace")

    def type(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line.encode() + b"\n")

    def interrupt(self) -> None:
        """Ctrl+C."""
        self._process.send_signal(signal.SIGINT)

    async def ended(self, status: int) -> str:
        """All that it said, once nothing more is typed."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        async with asyncio.timeout(120):
            rest, out = await asyncio.gather(self._reader.read(), self._process.stdout.read())
            await self._process.wait()
        self.said += rest.decode() + out.decode()
        assert self._process.returncode == status, self.said
        assert "Traceback" not in self.said
        return self.said

    @property
    def agent(self) -> str:
        """The id of the agent that it tells of."""
        found = re.search(r"agent_\w+", self.said)
        assert found, self.said
        return found[0]


async def _reader_of(terminal: int) -> asyncio.StreamReader:
    """What is written to a terminal whose other end this is, until nobody has it open."""
    reader = asyncio.StreamReader()

    class _Protocol(asyncio.StreamReaderProtocol):
        # Linux tells the end of a terminal by an error.
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(None)

    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: _Protocol(reader), os.fdopen(terminal, "rb", buffering=0))
    return reader


class Terminal:
    """Runs commands against a server."""

    def __init__(self, site: Site, server: Process) -> None:
        self._site = site
        self.server = server
        self.settings: Json = {"RETINUE_PORT": re.search(r":(\d+)/", server.base_url)[1]}  # pyright: ignore[reportOptionalSubscript]

    async def start(self, *words: str, tty: bool = False, **settings: Any) -> Command:
        """Begin a command; with `tty` what it says goes to a terminal."""
        pipe = asyncio.subprocess.PIPE
        ours, theirs = pty.openpty() if tty else (None, None)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "retinue", *words),
            env={**environment(self._site.data, **(self.settings | settings)), "TERM": "xterm"},
            stdin=pipe,
            stdout=pipe,
            stderr=pipe if theirs is None else theirs,
        )
        if ours is None or theirs is None:
            assert process.stderr
            return Command(process, process.stderr)
        os.close(theirs)
        return Command(process, await _reader_of(ours))

    async def run(self, *words: str, status: int = 0, **settings: Any) -> str:
        return await (await self.start(*words, **settings)).ended(status)


@pytest.fixture
async def terminal(site: Site) -> Terminal:
    return Terminal(site, await site.serve())


@asynccontextmanager
async def looking(terminal: Terminal, agent: str) -> AsyncGenerator[Any]:
    """Asks the server about an agent."""
    async with client_of(terminal.server) as client:

        async def look(path: str = "") -> Any:
            return await client.get(f"/agents/{agent}{path}")

        yield look


async def test_an_agent_is_watched_and_its_files_are_had(
    terminal: Terminal, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("Roses are red.")
    drafted = {"name": "Flower-GPT", "role": "an AI that [/writes]", "goals": ["Write [bold it."]}
    story = thinks("write_to_file", file="story.txt", text="Once \x1b[2Ja [/rose]…")
    upstream.script(Reply(text=orjson.dumps(drafted).decode()), thinks("read_file", file="notes.txt"), story, DONE)
    folder = tmp_path / "out" / "story"
    said = await terminal.run("agent", "write a story", "--file", str(notes), "--output", str(folder))
    # What a model writes neither paints over the terminal nor breaks it.
    assert "Flower-GPT, an AI that [/writes]" in said
    assert "1. Write [bold it." in said
    assert "\x1b[2J" not in said
    for shown in ("1. Now read_file.", "- p", "Roses are red.", "→ write_to_file(file='story.txt'", "All is done."):
        assert shown in said
    assert "completed" in said
    assert (folder / "story.txt").read_text().endswith("a [/rose]…")
    assert (folder / "notes.txt").read_text() == "Roses are red."


async def test_commands_are_allowed_and_refused_at_the_terminal(terminal: Terminal, upstream: ScriptedUpstream) -> None:
    upstream.script(
        thinks("write_to_file", file="a", text="x"),
        thinks("delete_file", file="a"),
        thinks("delete_file", file="a"),
        thinks("write_to_file", file="b", text="x"),
        thinks("delete_file", file="b"),
        DONE,
    )
    command = await terminal.start("agent", "tidy up", "--goal", "Tidy up.")
    await command.until("wants: delete_file(file='a')")
    command.type("Keep it for now.")
    await command.until("not allowed: Keep it for now.")
    assert "Keep it for now." in str(upstream.requests[2]["messages"])
    await command.until("3. Now delete_file.")
    command.type("a")
    said = await command.ended(0)
    assert said.count("Allow it?") == 2
    async with looking(terminal, command.agent) as look:
        assert (await look())["always_allowed"] == ["delete_file"]
        assert [one["path"] for one in (await look("/files"))["data"]] == []


async def test_questions_are_answered_at_the_terminal(terminal: Terminal, upstream: ScriptedUpstream) -> None:
    upstream.script(thinks("ask_user", question="Which [flower]?"), thinks("search_files", directory=""), DONE)
    command = await terminal.start("agent", "ask", "--goal", "Ask.", "--questions")
    await command.until("Which [flower]?")
    command.type("The rose.")
    said = await command.ended(0)
    # It is a command beside the usual ones.
    assert "2. Now search_files." in said
    async with looking(terminal, command.agent) as look:
        asked, *_ = (await look("/cycles?order=asc"))["data"]
    assert (asked["command"]["name"], asked["result"]["text"]) == ("ask_user", "The rose.")
    assert "The rose." in str(upstream.requests[1]["messages"])


async def test_questions_are_answered_by_another_command(terminal: Terminal, upstream: ScriptedUpstream) -> None:
    upstream.script(thinks("ask_user", question="Which?"), DONE)
    command = await terminal.start("agent", "ask", "--goal", "Ask.", "--command", "ask_user")
    assert "requires_action" in await command.ended(3)
    assert "queued" in await terminal.run("agents", "tell", command.agent, "The tulip.")
    said = await terminal.run("agents", "follow", command.agent)
    assert "The tulip." in said
    async with looking(terminal, command.agent) as look:
        assert (await look())["commands"] == ["ask_user", "task_complete"]


async def test_an_agent_is_told_how_it_is_to_work(terminal: Terminal, upstream: ScriptedUpstream) -> None:
    upstream.script(DONE)
    limits = ("--cycles", "7", "--seconds", "60", "--tokens", "5000", "--cost", "0.5")
    more = ("--language", "zh", "--constraint", "Use no [red].", "--constraint", "Be brief.", "--command", "read_file")
    command = await terminal.start("agent", "look", "--goal", "Look.", *limits, *more)
    await command.ended(0)
    async with looking(terminal, command.agent) as look:
        agent = await look()
    assert agent["limits"] == {"cycles": 7, "seconds": 60, "tokens": 5000, "cost": 0.5}
    assert agent["constraints"] == ["Use no [red].", "Be brief."]
    assert (agent["language"], agent["commands"]) == ("zh", ["read_file", "task_complete"])


async def test_limits_are_raised_where_they_are_used_up(terminal: Terminal, upstream: ScriptedUpstream) -> None:
    upstream.script(thinks("search_files", directory=""), thinks("search_files", directory="a"), DONE)
    command = await terminal.start("agent", "look", "--goal", "Look.", "--cycles", "1", "--tokens", "5000")
    assert "max_cycles" in await command.ended(1)
    agent = command.agent
    assert "has used up its limit of 1 (cycles)" in await terminal.run("agents", "resume", agent, status=1)
    assert "0" in await terminal.run("agents", "resume", agent, "--cost", "0", status=2)
    await terminal.run("agents", "resume", agent, "--cycles", "9", "--cost", "2.5")
    assert "All is done." in await terminal.run("agents", "follow", agent)
    async with looking(terminal, agent) as look:
        assert (await look())["limits"] == {"cycles": 9, "seconds": None, "tokens": 5000, "cost": 2.5}


async def waiting(terminal: Terminal, upstream: ScriptedUpstream) -> str:
    """An agent that would do risky things five times, and waits before the first."""
    upstream.script(*(thinks("delete_file", file=f"{number}") for number in range(4)), DONE)
    command = await terminal.start("agent", "tidy up", "--goal", "Tidy up.")
    await command.ended(3)
    return command.agent


async def test_some_commands_are_allowed_ahead_by_another_command(
    terminal: Terminal, upstream: ScriptedUpstream
) -> None:
    agent = await waiting(terminal, upstream)
    assert "give one of" in await terminal.run("agents", "approve", agent, "--times", "2", "--always", status=1)
    await terminal.run("agents", "approve", agent, "--times", "3")
    await terminal.run("agents", "follow", agent, status=3)
    async with looking(terminal, agent) as look:
        now = await look()
        did = (await look("/cycles?order=asc"))["data"]
    assert [one["status"] for one in did] == ["completed"] * 3 + ["awaiting_approval"]
    assert (now["allowed_commands"], now["required_action"]["command"]["args"]) == (0, {"file": "3"})


async def test_a_command_is_allowed_always_by_another_command(terminal: Terminal, upstream: ScriptedUpstream) -> None:
    agent = await waiting(terminal, upstream)
    await terminal.run("agents", "approve", agent, "--always", "--feedback", "All of them.")
    assert "5. Now task_complete." in await terminal.run("agents", "follow", agent)
    async with looking(terminal, agent) as look:
        assert (await look())["always_allowed"] == ["delete_file"]
        assert (await look("/cycles?order=asc"))["data"][0]["feedback"] == "All of them."


async def test_a_terminal_is_told_what_is_done_meanwhile(terminal: Terminal, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    first = thinks("search_files", directory="")
    upstream.script(first, Reply(text=DONE.text, delay_before=gate))
    command = await terminal.start("agent", "look", "--goal", "Look.", "--name", "Finder", tty=True)
    # It is seen to go on while nothing happens, and how much it has taken by then.
    await command.meets(lambda: len(set(re.findall(r"Finder thinks · \d+:\d\d", command.said))) > 2)
    assert re.search(r"1 cycles, 12 tokens, \$0\.0000 · \d+:\d\d", command.said)
    assert "⠋" in command.said
    gate.set()
    said = await command.ended(0)
    # What is over stands above, once.
    assert said.count("1. Now search_files.") == 1
    assert said.rindex("thinks") < said.rindex("All is done.")


async def test_without_a_terminal_nothing_is_redrawn(terminal: Terminal, upstream: ScriptedUpstream) -> None:
    upstream.script(DONE)
    said = await terminal.run("agent", "look", "--goal", "Look.")
    assert "\x1b" not in said
    assert "thinks" not in said


async def test_some_commands_are_allowed_ahead_at_the_terminal(terminal: Terminal, upstream: ScriptedUpstream) -> None:
    upstream.script(*(thinks("write_to_file", file=f"{number}", text="x") for number in range(4)), DONE)
    command = await terminal.start("agent", "write", "--goal", "Write.", "--ask")
    command.type("y")
    command.type("3")
    said = await command.ended(0)
    assert said.count("Allow it?") == 2
    assert "4. Now write_to_file." in said


async def test_what_an_agent_has_started_is_shown_and_asks_too(terminal: Terminal, upstream: ScriptedUpstream) -> None:
    def decide(request: Json) -> Reply:
        heard = "".join(message["content"] for message in request["messages"])
        if "1. Say hello." in heard:
            return DONE if "Result of" in heard else thinks("delete_file", file="a")
        if "has ended" in heard:
            return DONE
        started = "works now" in heard
        return thinks("do_nothing") if started else thinks("start_agent", name="Helper", task="t", prompt="Say hello.")

    upstream.default = decide
    command = await terminal.start("agent", "greet", "--goal", "Greet.")
    await command.until("Helper wants: delete_file(file='a')")
    command.type("y")
    said = await command.ended(0)
    assert "Helper 1. Now delete_file." in said


async def test_without_anybody_to_ask_it_is_left_waiting(terminal: Terminal, upstream: ScriptedUpstream) -> None:
    upstream.script(thinks("delete_file", file="a"), thinks("delete_file", file="b"), DONE)
    said = await terminal.run("agent", "tidy up", "--goal", "Tidy up.", status=3)
    assert "requires_action" in said
    agent = re.search(r"agents follow (\S+)`", said)
    assert agent
    async with looking(terminal, agent[1]) as look:
        assert (await look())["status"] == "requires_action"
        assert agent[1] in await terminal.run("agents", "list")
        await terminal.run("agents", "approve", agent[1], "--feedback", "Only this one.")
        await terminal.run("agents", "follow", agent[1], status=3)
        assert (await look())["required_action"]["command"]["args"] == {"file": "b"}
        await terminal.run("agents", "deny", agent[1], "--feedback", "Never.")
        await terminal.run("agents", "follow", agent[1])
        cycles = (await look("/cycles?order=asc"))["data"]
    assert [one.get("feedback") for one in cycles] == ["Only this one.", "Never.", None]
    assert [one["status"] for one in cycles] == ["completed", "denied", "completed"]


async def test_ctrl_c_pauses_it_and_it_is_gone_on_with(
    terminal: Terminal, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    first = thinks("write_to_file", file="a.txt", text="x")
    upstream.script(Reply(text=first.text, delay_before=gate))
    command = await terminal.start("agent", "write", "--goal", "Write.")
    await upstream.wait_for_requests(1)
    await command.until("agent_")
    agent = command.agent
    command.interrupt()
    said = await command.ended(130)
    assert f"agents resume {agent}" in said
    gate.set()
    assert "paused" in await terminal.run("agents", "follow", agent, status=3)
    upstream.script(thinks("search_files", directory=""), DONE)
    await terminal.run("agents", "goals", agent, "Write about trees.", "Save it.")
    await terminal.run("agents", "tell", agent, "Mind the thorns.")
    await terminal.run("agents", "resume", agent)
    assert "All is done." in await terminal.run("agents", "follow", agent)
    assert "2. Save it." in upstream.requests[1]["messages"][0]["content"]
    assert "Mind the thorns." in upstream.requests[1]["messages"][-1]["content"]
    await terminal.run("agents", "files", agent, str(tmp_path / "files"))
    assert (tmp_path / "files" / "a.txt").read_text() == "x"
    assert "cannot be stopped" in await terminal.run("agents", "stop", agent, status=1)
    await terminal.run("agents", "delete", agent)
    assert "No agent found" in await terminal.run("agents", "follow", agent, status=1)


async def test_an_agent_that_cannot_do_it_ends_the_command_with_1(
    terminal: Terminal, upstream: ScriptedUpstream
) -> None:
    upstream.script(thinks("search_files", directory=""))
    said = await terminal.run("agent", "look", "--goal", "Look.", "--cycles", "1", status=1)
    assert "max_cycles" in said
    upstream.script(Reply(status=401))
    assert "failed" in await terminal.run("agent", "look", "--goal", "Look.", status=1)


async def test_what_is_wrong_is_said(terminal: Terminal, tmp_path: Path) -> None:
    no_server = await terminal.run("agent", "x", RETINUE_PORT="9", status=1)
    assert "there is no server at http://127.0.0.1:9/v1" in no_server
    wrong_key = await terminal.run("agents", "list", RETINUE_API_KEY="sk-wrong", status=1)
    assert "Incorrect API key" in wrong_key
    assert "no-such" in await terminal.run("agent", "x", "--model", "no-such", status=1)
    assert "No agent found" in await terminal.run("agents", "pause", "../models", status=1)
    assert "does not exist" in await terminal.run("agent", "x", "--file", str(tmp_path / "none"), status=2)
    (tmp_path / "taken").write_text("")
    assert "cannot be made" in await terminal.run("agent", "x", "--output", str(tmp_path / "taken"), status=1)
    assert "--yes, --ask" in await terminal.run("agent", "x", "--yes", "--ask", status=2)
