"""The scripted upstream: an OpenAI-compatible model server that says what a test tells it.

    async with ScriptedUpstream() as upstream:
        upstream.script(Reply(text="Hello"), Reply(tool_calls=[Call("weather", {"city": "Oslo"})]))
        ...  # something calls f"{upstream.base_url}/chat/completions" twice
        assert upstream.requests[0]["model"] == "m"

It is a real HTTP server on loopback. It answers `POST /v1/chat/completions` and `POST /v1/completions`, streamed and
whole, with one reply a request, in the order of the script; when the script is used up it echoes the last user message,
or the prompt. Where `n` asks for several choices, all say the same, and the first is the last to end. Replies can be
late, hang, break off, be refused or be no JSON at all. `POST /v1/embeddings` needs no script: a text's vector comes
from its words.
"""

from __future__ import annotations

import asyncio
import json
import threading
import zlib
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Json = dict[str, Any]

#: `created` of every answer; a fixed moment, so that answers can be compared.
CREATED = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of a reply."""

    name: str
    #: The arguments, or their exact JSON text (which need not be JSON).
    arguments: Mapping[str, Any] | str = field(default_factory=dict[str, Any])
    #: Unset: ``call_1``, ``call_2`` ... over the upstream's whole life.
    id: str | None = None

    def arguments_text(self) -> str:
        """The arguments as the wire carries them."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the upstream does with one request."""

    #: The answer's text; streamed word by word unless `chunks` cuts it otherwise.
    text: str = ""
    #: The text cut into stream chunks instead of `text`. At an event among them the stream waits until it is set.
    chunks: Sequence[str | asyncio.Event] | None = None
    tool_calls: Sequence[Call] = ()
    #: Unset: ``tool_calls`` where there are some, else ``stop``.
    finish_reason: str | None = None
    #: What whole completions and the last chunks of streamed ones tell of probabilities; not for chat.
    logprobs: Json | None = None
    #: What the last chunk of a streamed chat tells of the tokens' probabilities.
    token_logprobs: Sequence[Json] = ()
    #: Prompt and completion tokens; None: the server reports no usage.
    usage: tuple[int, int] | None = (7, 5)
    #: Tokens of the prompt that the server had in its cache.
    cached: int = 0
    #: HTTP status. Anything but 200 sends `error` instead of an answer.
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    #: The body of a refusal: an error object, or raw text. With status 200: an error in the middle of a stream,
    #: after the text.
    error: Json | str | None = None
    #: Waited for before the first byte: an event, or seconds.
    delay_before: asyncio.Event | float | None = None
    #: Seconds of silence in a stream, between the chunk with the role and the answer.
    silence: float = 0
    #: After its text, the answer does not end. Without text, not even the headers come.
    hang: bool = False
    #: The connection drops after this many chunks of text (and tool calls); a whole answer drops before its first byte.
    break_after: int | None = None
    #: The body is cut-off JSON: in a stream, after the text.
    malformed: bool = False

    def pieces(self) -> list[str | asyncio.Event]:
        """The text as it is streamed."""
        if self.chunks is not None:
            return list(self.chunks)
        words = self.text.split(" ")
        return [word for word in [words[0], *(" " + word for word in words[1:])] if word]

    def full_text(self) -> str:
        """The text as a whole answer carries it."""
        return "".join(piece for piece in self.pieces() if isinstance(piece, str))


def echo(request: Json) -> Reply:
    """The last user message, or the prompt, said again."""
    if isinstance(prompt := request.get("prompt"), str):
        return Reply(text=prompt)
    for message in reversed(request.get("messages", [])):
        if message.get("role") == "user":
            content = message["content"]
            if isinstance(content, str):
                return Reply(text=content)
            return Reply(text="".join(part.get("text", "") for part in content))
    return Reply(text="")


def bag_of_words(text: str) -> list[float]:
    """A vector that is nearer to those of texts with the same words; of length about 1 for one word."""
    vector = [0.01] * 32
    for word in text.lower().split():
        vector[zlib.crc32(word.encode()) % len(vector)] += 1
    return vector


class _Broken(Exception):
    """The reply wants the connection dropped here."""


class ScriptedUpstream:
    """The server; an async context manager.

    Attributes:
        requests: the JSON body of every request, in order of arrival.
        request_headers: the headers of the same requests.
        disconnects: how many clients hung up before their answer was complete.
        default: what answers when the script is used up.
        embedded: the texts of every request for embeddings, in order of arrival; the script does not count these.
        embedding_turns: where it is set, each of these takes a turn before it is answered.
        embedding_status: what these are answered with; other than 200 it is an error.
    """

    def __init__(self, default: Reply | Callable[[Json], Reply] = echo) -> None:
        self.embedded: list[list[str]] = []
        self.embedding_turns: asyncio.Semaphore | None = None
        self.embedding_status = 200
        self.requests: list[Json] = []
        self.request_headers: list[Mapping[str, str]] = []
        self.disconnects = 0
        self.default = default
        self._script: deque[Reply | Callable[[Json], Reply]] = deque()
        self._calls = 0
        self._changed = asyncio.Condition()
        self._closing = asyncio.Event()
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._completions)
        app.router.add_post("/v1/completions", self._completions)
        app.router.add_post("/v1/embeddings", self._embeddings)
        # With cancellation on, a handler learns that its client has hung up even while it sends nothing.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None)

    async def __aenter__(self) -> ScriptedUpstream:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, shutdown_timeout=0.1).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        """The base URL to configure, ending in ``/v1``."""
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/v1"

    def script(self, *replies: Reply | Callable[[Json], Reply]) -> None:
        """Append replies, each for one request; a callable gets the request's body and returns the reply."""
        self._script.extend(replies)

    def forget(self) -> None:
        """Take back what is still in the script."""
        self._script.clear()

    async def wait_for_requests(self, count: int) -> None:
        """Return once `count` requests have arrived since the start."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)

    async def wait_for_disconnects(self, count: int) -> None:
        """Return once `count` clients have hung up since the start."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.disconnects >= count)

    async def _note(self, change: Callable[[], None]) -> None:
        async with self._changed:
            change()
            self._changed.notify_all()

    async def _completions(self, http: web.Request) -> web.StreamResponse:
        request: Json = await http.json()
        planned = self._script.popleft() if self._script else self.default

        def record() -> None:
            self.requests.append(request)
            self.request_headers.append(http.headers)

        def count_disconnect() -> None:
            self.disconnects += 1

        await self._note(record)
        reply = planned if isinstance(planned, Reply) else planned(request)
        try:
            return await self._answer(http, request, reply)
        except _Broken:
            if http.transport is not None:
                http.transport.close()  # closes after what was written, without the end of the body
            return web.Response()
        except (asyncio.CancelledError, ConnectionResetError):
            if not self._closing.is_set():
                # Shielded, for this handler is being cancelled while it notes why.
                await asyncio.shield(asyncio.ensure_future(self._note(count_disconnect)))
            raise

    async def _embeddings(self, http: web.Request) -> web.Response:
        texts: list[str] = (await http.json())["input"]
        self.embedded.append(texts)
        if self.embedding_turns:
            await self.embedding_turns.acquire()
        if self.embedding_status != 200:
            return web.json_response({"error": {"message": "No embeddings now."}}, status=self.embedding_status)
        data = [{"object": "embedding", "index": i, "embedding": bag_of_words(text)} for i, text in enumerate(texts)]
        return web.json_response({"object": "list", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}})

    async def _answer(self, http: web.Request, request: Json, reply: Reply) -> web.StreamResponse:
        if isinstance(reply.delay_before, asyncio.Event):
            await reply.delay_before.wait()
        elif reply.delay_before:
            await asyncio.sleep(reply.delay_before)
        if reply.status != 200:
            return _refusal(reply)
        kind = _Answer if http.path.endswith("/chat/completions") else _TextAnswer
        answer = kind(request, reply, [call.id or self._next_call_id() for call in reply.tool_calls])
        if request.get("stream"):
            return await self._stream(http, reply, answer)
        if reply.hang:
            await self._closing.wait()
        if reply.hang or reply.break_after is not None:
            raise _Broken
        text = json.dumps(answer.whole())
        return web.Response(
            text=text[: len(text) // 2] if reply.malformed else text,
            content_type="application/json",
            headers=reply.headers,
        )

    def _next_call_id(self) -> str:
        self._calls += 1
        return f"call_{self._calls}"

    async def _stream(self, http: web.Request, reply: Reply, answer: _Answer) -> web.StreamResponse:
        if reply.hang and not reply.pieces():
            await self._closing.wait()
            raise _Broken
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **reply.headers})
        await response.prepare(http)

        async def send(data: str) -> None:
            await response.write(f"data: {data}\n\n".encode())

        for chunk in answer.beginning():
            await send(json.dumps(chunk))
        await asyncio.sleep(reply.silence)
        sent = 0
        for delta in answer.deltas():
            if isinstance(delta, asyncio.Event):
                await delta.wait()
                continue
            if sent == reply.break_after:
                raise _Broken
            await send(json.dumps(answer.chunk(delta)))
            sent += 1
        if reply.break_after is not None:
            raise _Broken
        if reply.hang:
            await self._closing.wait()
            raise _Broken
        if reply.malformed:
            await send('{"id": "chatcmpl-')
        if reply.error is not None:
            await send(json.dumps({"error": reply.error}))
        else:
            for chunk in answer.ending():
                await send(json.dumps(chunk))
            await send("[DONE]")
        await response.write_eof()
        return response


def _refusal(reply: Reply) -> web.Response:
    if isinstance(reply.error, str):
        return web.Response(status=reply.status, text=reply.error, headers=reply.headers)
    kind = "invalid_request_error" if reply.status < 500 else "server_error"
    error = {"message": f"scripted {reply.status}", "type": kind, "param": None, "code": None, **(reply.error or {})}
    return web.json_response({"error": error}, status=reply.status, headers=reply.headers)


class _Answer:
    """One reply in the shapes of chat completions."""

    def __init__(self, request: Json, reply: Reply, call_ids: list[str]) -> None:
        self.reply = reply
        self.call_ids = call_ids
        self.model = request.get("model", "")
        self.choices: int = request.get("n") or 1
        self.with_usage = bool((request.get("stream_options") or {}).get("include_usage"))
        self.finish_reason = reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")

    def _head(self, kind: str) -> Json:
        return {"id": "chatcmpl-scripted", "object": kind, "created": CREATED, "model": self.model}

    def _usage(self) -> Json | None:
        if self.reply.usage is None:
            return None
        prompt, completion = self.reply.usage
        total = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        cached = self.reply.cached
        return {**total, "prompt_tokens_details": {"cached_tokens": cached}} if cached else total

    def whole(self) -> Json:
        """The answer to a request that did not ask for a stream."""
        text = self.reply.full_text()
        message: Json = {"role": "assistant", "content": text, "refusal": None}
        if self.reply.tool_calls:
            message["content"] = text or None
            message["tool_calls"] = [
                {"id": id_, "type": "function", "function": {"name": call.name, "arguments": call.arguments_text()}}
                for id_, call in zip(self.call_ids, self.reply.tool_calls, strict=True)
            ]
        choice = {"message": message, "logprobs": None, "finish_reason": self.finish_reason}
        choices = [{"index": index, **choice} for index in range(self.choices)]
        body = {**self._head("chat.completion"), "choices": choices}
        return body if self.reply.usage is None else {**body, "usage": self._usage()}

    def chunk(self, delta: Json, finish_reason: str | None = None, index: int = 0) -> Json:
        """One chunk of the stream."""
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        body = {**self._head("chat.completion.chunk"), "choices": [choice]}
        return {**body, "usage": None} if self.with_usage else body

    def beginning(self) -> Iterator[Json]:
        """The role of the first choice, and the others as a whole."""
        role: Json = {"role": "assistant", "content": "", "refusal": None}
        yield self.chunk(role)
        for index in range(1, self.choices):
            yield self.chunk(role, index=index)
            for delta in self.deltas():
                if isinstance(delta, dict):
                    yield self.chunk(delta, index=index)
            yield self.chunk({}, self.finish_reason, index)

    def deltas(self) -> Iterator[Json | asyncio.Event]:
        """The text and the tool calls of a choice, in pieces; a call's arguments come in two pieces."""
        for piece in self.reply.pieces():
            yield piece if isinstance(piece, asyncio.Event) else {"content": piece}
        for index, (id_, call) in enumerate(zip(self.call_ids, self.reply.tool_calls, strict=True)):
            head = {"id": id_, "type": "function", "function": {"name": call.name, "arguments": ""}}
            yield {"tool_calls": [{"index": index, **head}]}
            text = call.arguments_text()
            for part in (text[: len(text) // 2], text[len(text) // 2 :]):
                yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}

    def ending(self) -> Iterator[Json]:
        """The chunk that says why the answer ends, and the usage where it was asked for."""
        last = self.chunk({}, self.finish_reason)
        if self.reply.token_logprobs:
            last["choices"][0]["logprobs"] = {"content": list(self.reply.token_logprobs), "refusal": None}
        yield last
        if self.with_usage and self.reply.usage is not None:
            yield {**self._head("chat.completion.chunk"), "choices": [], "usage": self._usage()}


class _TextAnswer(_Answer):
    """One reply in the shapes of completions; each prompt has its choices."""

    def __init__(self, request: Json, reply: Reply, call_ids: list[str]) -> None:
        super().__init__(request, reply, call_ids)
        prompt = request["prompt"]
        self.choices *= len(prompt) if isinstance(prompt, list) and not isinstance(prompt[0], int) else 1

    def _head(self, kind: str) -> Json:
        return {"id": "cmpl-scripted", "object": "text_completion", "created": CREATED, "model": self.model}

    def _choice(self, index: int, text: str, reason: str | None) -> Json:
        logprobs = self.reply.logprobs if reason else None
        return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}

    def whole(self) -> Json:
        """The answer to a request that did not ask for a stream."""
        text = self.reply.full_text()
        body = self._head("") | {"choices": [self._choice(i, text, self.finish_reason) for i in range(self.choices)]}
        return body if self.reply.usage is None else {**body, "usage": self._usage()}

    def chunk(self, delta: Json, finish_reason: str | None = None, index: int = 0) -> Json:
        """One chunk of the stream."""
        body = self._head("") | {"choices": [self._choice(index, delta.get("content") or "", finish_reason)]}
        return {**body, "usage": None} if self.with_usage else body


@contextmanager
def upstream_in_thread(default: Reply | Callable[[Json], Reply] = echo) -> Generator[ScriptedUpstream]:
    """A scripted upstream with a thread and an event loop of its own, for tests that block (synchronous clients).

    Its `wait_for_...` methods and events in replies belong to that other loop: use neither here.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="scripted-upstream")
    thread.start()

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=10)

    async def opened() -> ScriptedUpstream:
        return await ScriptedUpstream(default).__aenter__()

    try:
        upstream = run(opened())
        try:
            yield upstream
        finally:
            with suppress(TimeoutError):
                run(upstream.__aexit__())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
