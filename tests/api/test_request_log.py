"""The log of requests: what is noted of each, who sees it, and when it is forgotten; how requests and runs fared."""

from __future__ import annotations

import time
from typing import Any

import aiohttp
import psycopg
import pytest

from retinue.accounts.keys import Keys
from retinue.store.accounts import DEFAULT_PROJECT
from retinue.store.objects import PageQuery
from retinue.store.request_log import RequestQuery
from retinue.wire.request_log import RequestLog

from ..harness import KEY, Api, Json, Server, eventually, run_path
from ..scripted import Reply, ScriptedUpstream
from .test_access import session

LOG, ALL = "/request_logs", "/organization/request_logs"
CHAT = {"model": "scripted", "messages": [{"role": "user", "content": "Hello"}]}
DAY = 86_400


@pytest.fixture
async def admin(api: Api, keys: Keys) -> Api:
    return api.with_key((await keys.create("admin", project=None))[0])


async def logged(server: Server, count: int, **wanted: Any) -> list[RequestLog]:
    """The requests that fit, newest first, once there are so many. An answer is there before its request is noted."""

    async def ask() -> list[RequestLog]:
        query = RequestQuery(**wanted)
        return (await server.app.state.store.request_log.page(None, query, PageQuery(limit=100), within=10)).data

    return await eventually(ask, lambda found: len(found) >= count)


async def listed(api: Api, query: str = "", path: str = LOG) -> Json:
    return await api.call("GET", path + query, extension=True)


async def plant(postgres: str, *rows: Json) -> None:
    """Requests as they might have been noted; what a row does not say is as of a good answer."""
    usual = {
        "project_id": DEFAULT_PROJECT,
        "key_id": "key_1",
        "method": "POST",
        "route": "/v1/chat/completions",
        "path": "/v1/chat/completions",
        "by_page": False,
        "model": "m",
        "called_model": True,
        "status": 200,
        "first_ms": 10,
        "total_ms": 20,
        "bytes": 1,
    }
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        for row in rows:
            values = {**usual, **row}
            names, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
            moment = values.pop("at")
            sql = f"insert into request_log (id, {names}) values (gen_random_uuid(), {places})"
            sql = sql.replace("%(at)s", "to_timestamp(%(at)s)")
            await connection.execute(sql, {**values, "at": moment})  # pyright: ignore


# --- what is noted


async def test_an_answered_call_of_a_model(server: Server, api: Api) -> None:
    before = int(time.time())
    answer = await api.request("POST", "/chat/completions?verbose=secret", CHAT)
    (one,) = await logged(server, 1)
    assert one.id == answer.headers["x-request-id"]
    assert before <= one.created_at <= time.time()
    assert (one.project_id, one.user_id, one.by_page) == (DEFAULT_PROJECT, None, False)
    assert one.api_key_id
    assert one.api_key_id.startswith("key_")
    assert (one.method, one.route, one.path) == ("POST", "/v1/chat/completions", "/v1/chat/completions")
    assert (one.model, one.status, one.error) == ("scripted", 200, None)
    assert one.first_byte_ms is not None
    assert 0 <= one.first_byte_ms <= one.duration_ms < 20_000
    assert one.response_bytes == int(answer.headers["content-length"])


@pytest.mark.settings(aliases={"boss": "scripted"})
async def test_aliases_are_noted_as_what_they_lead_to(server: Server, api: Api) -> None:
    await api.post("/chat/completions", {**CHAT, "model": "boss"})
    await api.refused("POST", "/chat/completions", {**CHAT, "model": "sk-retinue-oops"}, status=404)
    assert [one.model for one in await logged(server, 2)] == ["sk-…", "scripted"]


async def test_refusals_and_failures(server: Server, api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(status=500, error={"message": "broken"}))
    await api.request("POST", "/chat/completions", CHAT)
    await api.refused("GET", "/threads/thread_x", status=404)
    await api.refused("POST", "/chat/completions", {"model": "scripted"}, status=400)
    await api.refused("GET", "/nothing/here", status=404)
    await api.refused("DELETE", "/chat/completions", status=405)
    found = {(one.method, one.path): one for one in await logged(server, 5)}
    failed, thread = found["POST", "/v1/chat/completions"], found["GET", "/v1/threads/thread_x"]
    assert (thread.status, thread.route) == (404, "/v1/threads/{thread_id}")
    assert thread.error
    assert thread.error.type == "invalid_request_error"
    nothing = found["GET", "/v1/nothing/here"]
    assert (nothing.status, nothing.route, nothing.error and nothing.error.code) == (404, None, "unknown_url")
    assert found["DELETE", "/v1/chat/completions"].status == 405
    # The newest of each address comes first, so that the older stands in the mapping.
    assert failed.status >= 500
    assert failed.error
    assert failed.error.type == "server_error"
    assert failed.model == "scripted"


async def test_a_stream_is_noted_when_it_has_ended(server: Server, api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="One two", delay_before=0.05, silence=0.1), Reply(text="One", error={"message": "oh"}))
    await api.chunks("/chat/completions", {**CHAT, "stream": True})
    (one,) = await logged(server, 1)
    assert one.first_byte_ms is not None
    assert 50 <= one.first_byte_ms <= one.duration_ms - 90
    assert one.response_bytes > 100
    await api.chunks("/chat/completions", {**CHAT, "stream": True})
    broken = (await logged(server, 2))[0]
    assert broken.status == 200
    assert broken.error
    assert broken.error.type == "server_error"


async def test_runs_are_noted_with_what_they_are_of(server: Server, api: Api) -> None:
    run = await api.run("Hello")
    created = (await logged(server, 1, method="POST", route="/v1/threads/{thread_id}/runs"))[0]
    assert (created.assistant_id, created.thread_id, created.run_id) == (
        run["assistant_id"],
        run["thread_id"],
        run["id"],
    )
    assert created.model == "scripted"
    await api.stream("/threads/runs", {"assistant_id": run["assistant_id"], "thread": {"messages": []}})
    streamed = (await logged(server, 1, method="POST", route="/v1/threads/runs"))[0]
    assert streamed.run_id
    assert streamed.assistant_id == run["assistant_id"]


async def test_who_is_not_known_is_noted_without_a_project(server: Server, api: Api, admin: Api) -> None:
    await api.with_key("sk-retinue-wrong").refused("GET", "/threads/thread_x", status=401)
    await api.refused("GET", "/organization/projects", status=403)
    (forbidden, refused) = await logged(server, 2)
    assert (refused.status, refused.project_id, refused.api_key_id) == (401, None, None)
    assert refused.error
    assert refused.error.code == "invalid_api_key"
    # Whose key it is, is known where it may not do this.
    assert (forbidden.status, forbidden.project_id) == (403, DEFAULT_PROJECT)
    assert [one["id"] for one in (await listed(api))["data"]] == [forbidden.id]
    assert [one["id"] for one in (await listed(admin, "?refused=true", ALL))["data"]] == [refused.id]
    assert refused.id not in {one["id"] for one in (await listed(admin, "?refused=false", ALL))["data"]}


async def test_who_reads_by_a_link_is_not_refused(server: Server, api: Api, admin: Api) -> None:
    thread = await api.thread("Hello")
    link = await api.call("POST", f"/threads/{thread}/shares", {}, extension=True)
    token = link["url"].rpartition("/")[2]
    nobody = {"authorization": ""}
    assert (await api.request("GET", f"/shares/{token}", headers=nobody, extension=True)).status == 200
    assert (await api.request("GET", f"/shares/x{token}", headers=nobody, extension=True)).status == 404
    (refused, read) = await logged(server, 2, route="/v1/shares/{token}")
    assert (read.status, read.project_id, read.path) == (200, None, "/v1/shares/…")
    assert refused.path == "/v1/shares/…"
    assert [one["id"] for one in (await listed(admin, "?refused=true", ALL))["data"]] == [refused.id]
    assert read.id in {one["id"] for one in (await listed(admin, "?refused=false", ALL))["data"]}


async def test_requests_of_pages_are_marked(server: Server) -> None:
    headers = await session(server, "owner")
    async with aiohttp.ClientSession(headers=headers) as http, http.get(server.url + "/v1/assistants") as answer:
        assert answer.status == 200
    forging = {**headers, "x-csrf-token": "0"}
    async with aiohttp.request("POST", server.url + "/v1/threads", headers=forging, json={}) as answer:
        assert answer.status == 403
    (forged, seen) = await logged(server, 2, by_page=True)
    assert seen.user_id
    assert (seen.api_key_id, seen.project_id) == (None, DEFAULT_PROJECT)
    # Another page may have sent it.
    assert forged.user_id is None


async def test_nothing_secret_is_in_the_log(postgres: str, server: Server, api: Api) -> None:
    await api.post(
        "/chat/completions", {**CHAT, "messages": [{"role": "user", "content": "my secret"}], "user": "my-ada"}
    )
    await api.request("GET", "/chat/completions?metadata[user]=my-ada", extension=False)
    await api.refused("GET", f"/assistants/{KEY}", status=404)
    await logged(server, 3)
    with psycopg.connect(postgres) as connection:
        rows = connection.execute("select request_log::text from request_log").fetchall()
    for told in ("secret", "my-ada", KEY):
        assert not [row for row in rows if told in row[0]]


@pytest.mark.settings(request_log_days=0)
async def test_it_can_be_off(postgres: str, server: Server, api: Api) -> None:
    await plant(postgres, {"at": time.time()})
    await api.post("/chat/completions", CHAT)
    await server.app.state.request_log.stop()
    await server.app.state.store.request_log.sweep()
    assert await logged(server, 0) == []


# --- who sees it


async def test_a_project_sees_its_own(server: Server, api: Api, other: Api, admin: Api) -> None:
    await api.refused("GET", "/threads/thread_mine", status=404)
    await other.refused("GET", "/threads/thread_theirs", status=404)
    (theirs, mine) = await logged(server, 2)
    assert (await api.call("GET", f"{LOG}/{mine.id}", extension=True))["path"] == "/v1/threads/thread_mine"
    assert "A second" not in (await api.refused("GET", f"{LOG}/{theirs.id}", status=404))["message"]
    for wrong in ("req_x", "req_" + "0" * 32, "é"):
        assert "No request found" in (await api.refused("GET", f"{LOG}/{wrong}", status=404))["message"]
    assert {one["project_id"] for one in (await listed(api))["data"]} == {DEFAULT_PROJECT}
    assert {one["project_id"] for one in (await listed(admin, "?project_id=proj_other", ALL))["data"]} == {"proj_other"}
    assert (await admin.call("GET", f"{ALL}/{theirs.id}", extension=True))["project_id"] == "proj_other"
    await api.refused("GET", f"{LOG}?after={theirs.id}", status=400)


async def test_it_can_be_filtered_and_paged(postgres: str, api: Api) -> None:
    now = int(time.time())
    await plant(
        postgres,
        *({"at": now - 1000 + number, "status": 200 + number, "model": f"m{number % 2}"} for number in range(5)),
        {"at": now - 500, "status": 404, "method": "GET", "key_id": "key_2", "model": None, "route": "/v1/threads"},
        {"at": now - 400, "status": 429, "by_page": True, "assistant_id": "asst_1", "user_id": "user-1"},
    )
    older = f"&end_time={now - 100}"

    async def statuses(query: str) -> list[int]:
        return [one["status"] for one in (await listed(api, f"?limit=100{older}{query}"))["data"]]

    assert await statuses("") == [429, 404, 204, 203, 202, 201, 200]
    assert await statuses("&order=asc") == [200, 201, 202, 203, 204, 404, 429]
    assert await statuses("&status=4xx") == [429, 404]
    assert await statuses("&status=404") == [404]
    assert await statuses("&status=5xx") == []
    assert await statuses("&method=GET") == [404]
    assert await statuses("&route=/v1/threads") == [404]
    assert await statuses("&model=m1") == [203, 201]
    assert await statuses("&api_key_id=key_2") == [404]
    assert await statuses("&user_id=user-1") == [429]
    assert await statuses("&assistant_id=asst_1") == [429]
    assert await statuses("&by_page=true") == [429]
    assert await statuses("&by_page=false&status=4xx") == [404]
    assert await statuses(f"&start_time={now - 999}&end_time={now - 997}") == [202, 201]
    first = await listed(api, f"?limit=3{older}")
    assert first["has_more"]
    second = await listed(api, f"?limit=3&after={first['last_id']}{older}")
    assert [one["status"] for one in second["data"]] == [203, 202, 201]
    back = await listed(api, f"?limit=2&before={second['last_id']}{older}")
    assert [one["status"] for one in back["data"]] == [203, 202]
    assert (back["first_id"], back["has_more"]) == (second["first_id"], True)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("status=6xx", "status"),
        ("status=40", "status"),
        ("method=get", "method"),
        ("start_time=-1", "start_time"),
        ("end_time=999999999999999", "end_time"),
        ("limit=101", "limit"),
        ("after=req_x", "after"),
        ("by_page=perhaps", "by_page"),
    ],
)
async def test_what_makes_no_sense_is_refused(api: Api, query: str, param: str) -> None:
    assert (await api.refused("GET", f"{LOG}?{query}"))["param"] == param


# --- how they fared


async def results(admin: Api, kind: str, query: str) -> list[Json]:
    page = await admin.call("GET", f"/organization/usage/{kind}?{query}", extension=True)
    return [result for bucket in page["data"] for result in bucket["results"]]


async def test_requests_are_added_up_exactly(postgres: str, admin: Api) -> None:
    day = int(time.time()) // DAY * DAY - 3 * DAY
    calls = [{"at": day + 60 * number, "first_ms": number, "total_ms": 10 * number} for number in range(1, 22)]
    await plant(
        postgres,
        *calls,
        {"at": day + 5, "status": 400, "error_type": "invalid_request_error", "total_ms": 1, "key_id": "key_2"},
        {"at": day + 6, "status": 429, "error_type": "requests", "total_ms": 1, "key_id": "key_2"},
        {"at": day + 7, "status": 503, "error_type": "server_error", "total_ms": 1, "assistant_id": "asst_1"},
        # Broken off in the middle.
        {"at": day + 8, "status": 200, "error_type": "server_error", "total_ms": 9_999},
        {"at": day + DAY, "model": None, "called_model": False, "route": "/v1/me", "by_page": True, "total_ms": 3},
        {"at": day + DAY, "project_id": "proj_x", "model": "other", "user_id": "user-1", "key_id": None},
        {"at": day + 2 * DAY},
    )
    window = f"start_time={day}&end_time={day + 2 * DAY}"
    page = await admin.call("GET", f"/organization/usage/requests?{window}", extension=True)
    assert [bucket["start_time"] for bucket in page["data"]] == [day, day + DAY]
    (first,), (second,) = (bucket["results"] for bucket in page["data"])
    assert first == {
        "project_id": None,
        "object": "organization.usage.requests.result",
        "user_id": None,
        "api_key_id": None,
        "assistant_id": None,
        "model": None,
        "route": None,
        "num_requests": 25,
        "num_client_errors": 1,
        "num_rate_limited": 1,
        "num_server_errors": 2,
        "num_model_requests": 25,
        "duration_ms": {"p50": 100, "p95": pytest.approx(208)},
        "model_first_byte_ms": {"p50": 11, "p95": 20},
        "model_duration_ms": {"p50": 110, "p95": 200},
    }
    assert (second["num_requests"], second["num_model_requests"]) == (2, 1)
    by_key = await results(admin, "requests", f"{window}&group_by[]=api_key_id&bucket_width=all")
    assert [(one["api_key_id"], one["num_requests"]) for one in by_key] == [("key_1", 24), ("key_2", 2), (None, 1)]
    by_two = await results(admin, "requests", f"{window}&group_by=route&group_by=model&project_ids=proj_x")
    assert [(one["route"], one["model"]) for one in by_two] == [("/v1/chat/completions", "other")]
    for query, count in (
        ("by_page=true", 1),
        ("by_page=false", 26),
        ("models=other", 1),
        ("api_key_ids=key_2", 2),
        ("assistant_ids=asst_1", 1),
        ("user_ids=user-1", 1),
        ("routes=/v1/me", 1),
        ("models=none", None),
    ):
        found = await results(admin, "requests", f"{window}&bucket_width=all&{query}")
        assert [one["num_requests"] for one in found] == ([count] if count else []), query
    hours = await results(admin, "requests", f"{window}&bucket_width=1h&limit=48")
    assert [one["num_requests"] for one in hours] == [25, 2]
    page = await admin.call("GET", f"/organization/usage/requests?{window}&limit=1", extension=True)
    assert (page["has_more"], page["next_page"]) == (True, f"page_{day + DAY}")
    page = await admin.call(
        "GET", f"/organization/usage/requests?{window}&limit=1&page={page['next_page']}", extension=True
    )
    assert [one["num_requests"] for one in page["data"][0]["results"]] == [2]


async def test_a_request_counts_for_the_second_in_which_it_began(postgres: str, admin: Api) -> None:
    day = int(time.time()) // DAY * DAY - 3 * DAY
    await plant(postgres, {"at": day + DAY - 0.3})
    page = await admin.call(
        "GET", f"/organization/usage/requests?start_time={day}&end_time={day + 2 * DAY}", extension=True
    )
    assert [len(bucket["results"]) for bucket in page["data"]] == [1, 0]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        (f"start_time=0&end_time={93 * DAY}&bucket_width=all", "start_time"),
        ("start_time=10&end_time=10&bucket_width=all", "end_time"),
        ("start_time=10&end_time=5", "end_time"),
        ("start_time=0&limit=93", "limit"),
        ("start_time=0&bucket_width=1m", "bucket_width"),
        ("start_time=0&group_by=color", "group_by"),
        ("", "start_time"),
    ],
)
@pytest.mark.parametrize("kind", ["requests", "runs"])
async def test_windows_are_bounded(admin: Api, kind: str, query: str, param: str) -> None:
    error = await admin.refused("GET", f"/organization/usage/{kind}?{query}")
    assert error["param"].startswith(param)


async def test_runs_are_added_up_exactly(postgres: str, server: Server, api: Api, admin: Api) -> None:
    day = int(time.time()) // DAY * DAY - 2 * DAY
    thread, assistant = await api.thread("Hello"), await api.assistant()
    # Of each run: its model, how it ended, and how long it waited and took.
    fates: list[tuple[str, str, int | None, int | None]] = [
        *(("m1", "completed", number, 10 * number) for number in range(1, 22)),
        ("m1", "failed", 1, None),
        ("m1", "expired", None, None),
        ("m2", "cancelled", 3, None),
        ("m2", "incomplete", 4, None),
        ("m2", "completed", None, 5),
    ]
    with psycopg.connect(postgres) as connection:
        for number, (model, status, waited, took) in enumerate(fates):
            connection.execute(
                "insert into runs (id, project_id, thread_id, body) values (%s, %s, %s, jsonb_build_object("
                "'created_at', %s::bigint, 'started_at', %s::bigint, 'completed_at', %s::bigint, 'status', %s::text,"
                "'model', %s::text, 'assistant_id', %s::text, 'expires_at', %s::bigint))",
                [
                    *(f"run_{number}", DEFAULT_PROJECT, thread, day),
                    *(waited and day + waited, took and day + took, status, model, assistant, day + 600),
                ],
            )
    (whole,) = await results(admin, "runs", f"start_time={day}&end_time={day + DAY}")
    told = {name: value for name, value in whole.items() if name.startswith("num_")}
    assert told == {
        "num_runs": 26,
        "num_completed": 22,
        "num_incomplete": 1,
        "num_failed": 1,
        "num_cancelled": 1,
        "num_expired": 1,
    }
    by_model = await results(admin, "runs", f"start_time={day}&group_by[]=model&group_by[]=assistant_id")
    assert [(one["model"], one["assistant_id"], one["num_runs"]) for one in by_model] == [
        ("m1", assistant, 23),
        ("m2", assistant, 3),
    ]
    assert by_model[0]["duration_seconds"] == {"p50": 110, "p95": 200}
    assert by_model[0]["queue_seconds"] == {"p50": pytest.approx(10.5), "p95": pytest.approx(19.95)}
    assert by_model[1]["duration_seconds"] == {"p50": 5, "p95": 5}
    for query, count in (("models=m2", 3), (f"assistant_ids={assistant}", 26), ("project_ids=proj_x", None)):
        found = await results(admin, "runs", f"start_time={day}&bucket_width=all&{query}")
        assert [one["num_runs"] for one in found] == ([count] if count else []), query


# --- what ends it


async def count(postgres: str) -> int:
    async with await psycopg.AsyncConnection.connect(postgres) as connection:
        row = await (await connection.execute("select count(*) from request_log")).fetchone()
    assert row
    return row[0]


@pytest.mark.settings(request_log_days=2)
async def test_old_requests_are_forgotten(postgres: str, server: Server) -> None:
    now = time.time()
    await plant(postgres, {"at": now - 3 * DAY}, {"at": now - 2.1 * DAY}, {"at": now - DAY}, {"at": now})
    await server.app.state.store.request_log.sweep()
    assert await count(postgres) == 2


@pytest.mark.settings(request_log_max_rows=1000)
async def test_the_log_does_not_grow_beyond_its_bound(postgres: str, server: Server) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute(
            "insert into request_log (id, at, project_id, by_page, method, path, called_model, status, total_ms, bytes)"
            " select gen_random_uuid(), now(), 'p', false, 'GET', number::text, false, 200, 1, 1"
            " from generate_series(1, 6500) as number"
        )
    await server.app.state.store.request_log.sweep()
    with psycopg.connect(postgres) as connection:
        row = connection.execute("select count(*), min(path::integer) from request_log").fetchone()
    assert row == (1000, 5501)


async def test_a_persons_requests_are_erased(server: Server, admin: Api, postgres: str) -> None:
    now = time.time()
    await plant(postgres, {"at": now, "user_id": "user-ada", "key_id": None}, {"at": now, "user_id": "user-bob"})
    made = await admin.call("POST", "/organization/erasures", {"user": "user-ada"}, extension=True)

    async def ask() -> Json:
        return await admin.call("GET", f"/organization/erasures/{made['id']}", extension=True)

    done = await eventually(ask, lambda erasure: erasure["status"] == "completed")
    assert done["counts"] == {"requests": 1}
    with psycopg.connect(postgres) as connection:
        assert connection.execute("select user_id from request_log where user_id is not null").fetchall() == [
            ("user-bob",)
        ]


async def test_a_projects_requests_go_with_it(postgres: str, server: Server) -> None:
    project = (await server.app.state.store.accounts.add_project("Short-lived")).id
    await plant(postgres, {"at": time.time(), "project_id": project}, {"at": time.time()})
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("delete from projects where id = %s", [project])
        rows = connection.execute("select project_id from request_log").fetchall()
    assert rows == [(DEFAULT_PROJECT,)]


async def test_a_run_leads_from_the_log_to_its_page(server: Server, api: Api) -> None:
    run = await api.run("Hello")
    noted = (await logged(server, 1, route="/v1/threads/{thread_id}/runs/{run_id}"))[0]
    assert f"/threads/{noted.thread_id}/runs/{noted.run_id}" == run_path(run)
