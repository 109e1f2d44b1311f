"""The gate: what passes, what is counted, and what every answer gets, before an application that a test writes."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retinue.accounts.keys import Caller
from retinue.accounts.limits import Limits
from retinue.accounts.request_log import RequestLog
from retinue.api.middleware import Gate
from retinue.errors import AuthenticationFailed, ModelError, RateLimited, Unavailable
from retinue.store.request_log import RequestRow, RequestRows

from ..limiting import limits_of

CALLER = Caller("proj_a", "key_1")
MOST, MOST_LARGER = 100, 1000


class Keys:
    async def caller_of(self, key: str) -> Caller:
        if key != "sk-right":
            raise AuthenticationFailed("Incorrect API key provided.", code="invalid_api_key")
        return CALLER


class Rows:
    """Stands for the table of the log of requests."""

    def __init__(self) -> None:
        self.rows: list[RequestRow] = []

    async def add(self, rows: list[RequestRow]) -> None:
        self.rows += rows


class Exchange:
    """One request to an application behind the gate, and what came of it."""

    def __init__(self, app: ASGIApp, *, limits: Limits | None = None) -> None:
        self._gate = Gate(
            app,
            organization="acme",
            max_body_bytes=lambda path: MOST_LARGER if path == "/v1/files" else MOST,
            limited={"/v1/embeddings"},
            signed="/v1/pictures/",
            by_token=("/v1/links/", "/l/"),
        )
        self._limits = limits or limits_of(10, 1000)
        self._rows = Rows()
        self._log = RequestLog(cast(RequestRows, self._rows), days=1)
        self.scope: Scope = {}
        self.sent: list[Message] = []
        self.sending = asyncio.Event()

    async def ask(
        self, path: str = "/v1/things", *pieces: bytes, method: str = "POST", key: str = "sk-right", **headers: str
    ) -> int:
        """The status of the answer."""
        given = {"authorization": f"Bearer {key}", **headers}
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"signature=s",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
            "app": SimpleNamespace(state=SimpleNamespace(keys=Keys(), limits=self._limits, request_log=self._log)),
        }
        body = [*pieces] or [b""]

        async def receive() -> Message:
            piece = body.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(body)}

        async def send(message: Message) -> None:
            self.sent.append(message)
            self.sending.set()

        await self._gate(self.scope, receive, send)
        return self.sent[0]["status"]

    async def noted(self) -> list[RequestRow]:
        """What the log has of all requests."""
        self._log.start()
        await self._log.stop()
        return self._rows.rows

    @property
    def headers(self) -> dict[str, str]:
        assert len({name for name, _ in self.sent[0]["headers"]}) == len(self.sent[0]["headers"]), "sent twice"
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def error(self) -> dict[str, Any]:
        return json.loads(b"".join(message.get("body", b"") for message in self.sent))["error"]


async def read(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads the whole body and says how long it was."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-size", b"%d" % size)]})
    await send({"type": "http.response.body", "body": b"{}"})


def failing(error: Exception, *, begun: bool = False) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    return app


async def test_who_asks_is_told():
    exchange = Exchange(read)
    assert await exchange.ask() == 200
    assert exchange.scope["caller"] == CALLER
    assert exchange.scope["project"] == "proj_a"


async def test_headers_of_every_answer():
    exchange = Exchange(read)
    await exchange.ask()
    headers = exchange.headers
    assert headers["x-request-id"].startswith("req_")
    assert len(headers["x-request-id"]) == 36
    assert headers["openai-processing-ms"].isdigit()
    assert headers["openai-version"] == "2020-10-01"
    assert headers["openai-organization"] == "acme"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-expose-headers"] == "*"
    assert not [name for name in headers if name.startswith("x-ratelimit")]


async def test_limits_are_told_where_models_are_called():
    exchange = Exchange(read)
    await exchange.ask("/v1/embeddings")
    assert {name for name in exchange.headers if name.startswith("x-ratelimit")} == {
        f"x-ratelimit-{what}-{kind}" for what in ("limit", "remaining", "reset") for kind in ("requests", "tokens")
    }


async def test_a_refused_call_says_when_to_come_again():
    limits = limits_of(2, 1000)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await limits.admit(scope["caller"], "m", 1)
        await read(scope, receive, send)

    assert await Exchange(app, limits=limits).ask("/v1/embeddings") == 200
    assert await Exchange(app, limits=limits).ask("/v1/embeddings") == 200
    exchange = Exchange(app, limits=limits)
    assert await exchange.ask("/v1/embeddings") == 429
    assert exchange.error["type"] == "requests"
    assert exchange.error["code"] == "rate_limit_exceeded"
    assert exchange.headers["retry-after"] == "30"
    assert exchange.headers["retry-after-ms"] == "30000"
    assert exchange.headers["x-ratelimit-remaining-requests"] == "0"
    assert "x-should-retry" not in exchange.headers


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (Unavailable("away"), {"retry-after": "1", "retry-after-ms": "1000"}),
        (RateLimited("later", type="tokens", retry_after=1.2341), {"retry-after": "2", "retry-after-ms": "1235"}),
        (RateLimited("never", type="tokens", retry_after=None), {"x-should-retry": "false"}),
        (ModelError("busy", status=429), {}),
    ],
)
async def test_whether_and_when_to_try_again(error: Exception, headers: dict[str, str]):
    exchange = Exchange(failing(error))
    await exchange.ask()
    said = {name: value for name, value in exchange.headers.items() if "retry" in name}
    assert said == headers


@pytest.mark.parametrize(
    ("error", "status"),
    [(psycopg.DataError("bad"), 400), (psycopg.OperationalError("away"), 503), (ZeroDivisionError(), 500)],
)
async def test_failures_are_official_errors(error: Exception, status: int):
    exchange = Exchange(failing(error))
    assert await exchange.ask() == status
    assert set(exchange.error) == {"message", "type", "param", "code"}
    if status == 500:
        assert exchange.headers["x-request-id"] in exchange.error["message"]


async def test_an_answer_that_has_begun_is_not_begun_again():
    exchange = Exchange(failing(ZeroDivisionError(), begun=True))
    await exchange.ask()
    assert [message["type"] for message in exchange.sent] == ["http.response.start"]


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic abc", "sk-right"])
async def test_no_key(authorization: str):
    exchange = Exchange(read)
    assert await exchange.ask(authorization=authorization) == 401
    assert exchange.error["code"] is None
    assert exchange.headers["openai-organization"] == "acme"


async def test_a_wrong_key():
    exchange = Exchange(read)
    assert await exchange.ask("/v1/embeddings", key="sk-wrong") == 401
    assert exchange.error["code"] == "invalid_api_key"
    # Whose limits would they be?
    assert not [name for name in exchange.headers if name.startswith("x-ratelimit")]


async def test_signed_addresses_need_no_key():
    exchange = Exchange(read)
    assert await exchange.ask("/v1/pictures/1", method="GET", authorization="") == 200
    assert "project" not in exchange.scope
    assert exchange.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["/v1/things", "/v1/files"])
async def test_bodies_are_bounded(path: str):
    most = MOST_LARGER if path == "/v1/files" else MOST
    half, rest = b"x" * (most // 2), b"x" * (most - most // 2)
    # With a length, and without one, in pieces.
    assert await Exchange(read).ask(path, half + rest, content_length=str(most)) == 200
    exchange = Exchange(read)
    assert await exchange.ask(path, half, rest) == 200
    assert exchange.headers["x-size"] == str(most)
    assert await Exchange(read).ask(path, b"", content_length=str(most + 1)) == 413
    assert await Exchange(read).ask(path, half, rest, b"x") == 413


async def test_a_stream_is_not_held_back():
    more = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await more.wait()
        await send({"type": "http.response.body", "body": b"two"})

    exchange = Exchange(app)
    asking = asyncio.create_task(exchange.ask())
    async with asyncio.timeout(20):
        while len(exchange.sent) < 2:
            exchange.sending.clear()
            await exchange.sending.wait()
    more.set()
    await asking
    assert [message.get("body") for message in exchange.sent] == [None, b"one", b"two"]


# --- pages of other origins


async def test_a_browser_may_ask_without_a_key():
    exchange = Exchange(failing(ZeroDivisionError()))
    asked = "authorization,content-type,x-stainless-lang"
    status = await exchange.ask(
        "/v1/embeddings",
        method="OPTIONS",
        authorization="",
        origin="https://app.example",
        access_control_request_method="POST",
        access_control_request_headers=asked,
    )
    assert status == 204
    headers = exchange.headers
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-allow-headers"] == asked
    assert {"GET", "POST", "DELETE"} <= set(headers["access-control-allow-methods"].split(", "))
    assert int(headers["access-control-max-age"]) > 0
    assert "access-control-allow-credentials" not in headers


async def test_a_page_reads_errors_too():
    exchange = Exchange(read)
    assert await exchange.ask(key="sk-wrong", origin="https://app.example") == 401
    assert exchange.headers["access-control-allow-origin"] == "*"


async def test_other_requests_with_options_need_a_key():
    assert await Exchange(read).ask(method="OPTIONS", authorization="") == 401


async def test_what_is_not_the_api_is_not_for_other_origins():
    exchange = Exchange(read)
    assert await exchange.ask("/", method="GET", authorization="") == 200
    assert not [name for name in exchange.headers if name.startswith("access-control")]
    assert exchange.headers["openai-organization"] == "acme"


# --- the log of requests


async def test_a_request_is_noted_without_its_body_and_query():
    async def slowly(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = SimpleNamespace(path="/v1/things/{thing_id}")
        await asyncio.sleep(0.02)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        await asyncio.sleep(0.02)
        await send({"type": "http.response.body", "body": b"de"})

    exchange = Exchange(slowly)
    await exchange.ask("/v1/things/thing_1", b"secret")
    (row,) = await exchange.noted()
    assert exchange.headers["x-request-id"] == f"req_{row.id}"
    assert (row.project, row.key, row.user, row.by_page) == ("proj_a", "key_1", None, False)
    assert (row.method, row.route, row.path) == ("POST", "/v1/things/{thing_id}", "/v1/things/thing_1")
    assert (row.status, row.error_type, row.bytes) == (200, None, 5)
    assert row.first_ms is not None
    assert 20 <= row.first_ms < row.total_ms
    assert row.total_ms >= 40
    assert "secret" not in str(row)
    assert "signature" not in str(row)


async def test_keys_and_people_in_addresses_are_not_noted():
    exchange = Exchange(read)
    await exchange.ask("/v1/things/sk-retinue-abc/of/user-abc/risk-free/\x01\ud800é" + "x" * 1000)
    (row,) = await exchange.noted()
    assert row.path.startswith("/v1/things/sk-…/of/user-…/risk-free/\x01?é")
    assert len(row.path) <= 256


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/links/secret-token/files/f", "/v1/links/…"),
        ("/v1/things/gl_" + "secret0000" * 4 + "/x", "/v1/things/gl_…/x"),
        ("/v1/things/gs_" + "secret0000" * 4, "/v1/things/gs_…"),
        ("/v1/things/logs_secret", "/v1/things/logs_secret"),
    ],
)
async def test_tokens_of_links_are_not_noted(path: str, told: str):
    exchange = Exchange(read)
    await exchange.ask(path)
    (row,) = await exchange.noted()
    assert row.path == told


@pytest.mark.parametrize("path", ["/v1/links/secret-token/files/f", "/l/secret-token"])
async def test_tokens_of_links_are_not_logged_with_a_defect(path: str):
    exchange = Exchange(failing(ZeroDivisionError()))
    with structlog.testing.capture_logs() as logs:
        assert await exchange.ask(path) == 500
    (entry,) = logs
    assert "secret" not in entry["path"]
    assert path.startswith(entry["path"].removesuffix("…"))


async def test_what_a_models_server_says_of_its_failure_is_noted_as_it_can_be():
    failure = ModelError("no", status=400, type="bad\x00type", code="sk-secret" + "x" * 1000)
    exchange = Exchange(failing(failure))
    await exchange.ask()
    (row,) = await exchange.noted()
    assert (row.error_type, row.error_code) == ("badtype", "sk-…")


async def test_browsers_that_ask_whether_they_may_are_not_noted():
    exchange = Exchange(read)
    await exchange.ask(method="OPTIONS", access_control_request_method="POST")
    assert await exchange.noted() == []


async def test_strangers_cannot_fill_the_log():
    exchange = Exchange(read)
    for _ in range(700):
        assert await exchange.ask(key="sk-wrong") == 401
        exchange.sent.clear()
    assert await exchange.ask() == 200
    rows = await exchange.noted()
    assert 600 <= sum(row.key is None for row in rows) <= 601
    assert (rows[0].status, rows[0].error_code, rows[0].project) == (401, "invalid_api_key", "")
    assert rows[-1].key == "key_1"


async def test_readers_of_links_leave_room_for_those_who_are_refused():
    exchange = Exchange(read)
    for _ in range(700):
        assert await exchange.ask("/v1/links/x", key="") == 200
        exchange.sent.clear()
    assert await exchange.ask(key="sk-wrong") == 401
    rows = await exchange.noted()
    assert sum(row.status == 200 for row in rows) == 700
    assert rows[-1].status == 401


async def test_readers_of_links_cannot_fill_the_log():
    exchange = Exchange(read)
    for _ in range(6_100):
        await exchange.ask("/v1/links/x", key="")
        exchange.sent.clear()
    # A minute brings a hundred again.
    assert 6_000 <= len(await exchange.noted()) <= 6_090


async def test_a_client_that_went_away():
    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    exchange = Exchange(nothing)
    with pytest.raises(IndexError):
        await exchange.ask()
    (row,) = await exchange.noted()
    assert (row.status, row.first_ms, row.bytes) == (499, None, 0)
