"""GPTs as files, copies of GPTs, and calls of connections that somebody tries."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from ..harness import Answer, Api, Json, Server
from ..scripted import Reply, ScriptedUpstream
from ..services import CONNECTIONS, connect, document, service
from .conftest import member
from .extensions import get, post
from .test_gpts import PNG, made

pytestmark = pytest.mark.settings(egress_allow=["127.0.0.1"])

#: Nothing is sent there.
URL = "http://127.0.0.1:8123/v1"
PETS = document({"/pets": {"get": {"operationId": "listPets"}}}, URL)
SECRETS = ("key-4711", "pass-4712", "client-4713", "header-4714", "stripe-user")


async def imported(api: Api, archive: bytes, name: str = "gpt.zip", part: str = "file") -> Answer:
    form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    form.add_field(part, archive, filename=name, content_type="application/zip")
    payload = form()
    headers = {"content-type": payload.headers["content-type"]}
    return await api.request("POST", "/gpts/import", data=payload, headers=headers, extension=True)


async def taken(api: Api, archive: bytes) -> Json:
    answer = await imported(api, archive)
    assert answer.status == 200, answer.body
    return answer.body


def contents(archive: bytes) -> tuple[Json, dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    return json.loads(files.pop("gpt.json")), files


def packed(files: dict[str, bytes | str], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", packing) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return kept.getvalue()


def profile(**fields: Any) -> str:
    return json.dumps({"content": {"name": "Small"}, **fields})


async def connections(api: Api) -> list[str]:
    """One of each way to authenticate, with secrets."""
    auths: list[Json] = [
        {"type": "api_key", "name": "X-Key", "key": SECRETS[0]},
        {"type": "basic", "username": SECRETS[4], "password": SECRETS[1]},
        {
            "type": "oauth",
            "client_id": "retinue",
            "client_secret": SECRETS[2],
            "authorization_url": f"{URL}/authorize",
            "token_url": f"{URL}/token",
            "scope": "pets",
        },
    ]
    made = [await connect(api, document=PETS, auth=auth, name=auth["type"]) for auth in auths]
    made.append(await connect(api, document=PETS, name="plain", headers={"X-Tenant": SECRETS[3]}))
    return [one["id"] for one in made]


async def test_what_is_exported_is_imported(api: Api, other: Api) -> None:
    files = [await api.file("Fact one.", "规则.txt"), await api.file(b"\x00\x01" * 300_000, "../rules.bin")]
    gpt = await made(
        api,
        description="Explains.",
        picture=await api.file(PNG, "tutor.png"),
        conversation_starters=["Hi?"],
        category="games",
        tags=["a"],
        language="zh",
        knowledge=files,
        capabilities=["code_interpreter"],
        connections=await connections(api),
        privacy_policy_url="https://example.com/privacy",
        temperature=0.5,
        allow_duplicate=True,
    )
    archive = await api.download(f"/gpts/{gpt['slug']}/export")
    assert not any(secret.encode() in content for secret in SECRETS for content in contents(archive)[1].values())
    assert not any(secret in json.dumps(contents(archive)[0]) for secret in SECRETS)
    assert not any(secret.encode() in archive for secret in SECRETS)
    told = await taken(other, archive)
    new = told["gpt"]
    assert [(one["kind"], one["name"]) for one in told["notes"]] == [
        ("secrets", "api_key"),
        ("secrets", "basic"),
        ("secrets", "oauth"),
    ]
    assert (new["slug"], new["visibility"], new["version"], new["allow_duplicate"]) == (
        gpt["slug"],
        "private",
        None,
        True,
    )
    assert await other.download(new["picture_url"][3:] + "?draft=true") == PNG
    texts = [await other.download(f"/files/{one}/content") for one in new["draft"]["knowledge"]]
    assert texts == [b"Fact one.", b"\x00\x01" * 300_000]
    assert (await get(other, CONNECTIONS + "?order=asc"))["data"][0]["auth"]["name"] == "X-Key"
    # What comes out of the copy is what came out of the original.
    again = await other.download(f"/gpts/{new['id']}/export")
    assert contents(again) == contents(archive)
    assert contents(archive)[0]["knowledge"][0]["filename"] == "规则.txt"


async def test_in_the_same_project_connections_are_found_again_and_slugs_differ(api: Api, ada: Api) -> None:
    gpt = await made(api, connections=await connections(api))
    told = await taken(ada, await api.download(f"/gpts/{gpt['id']}/export"))
    assert told["notes"] == []
    assert told["gpt"]["draft"]["connections"] == gpt["draft"]["connections"]
    assert told["gpt"]["slug"].startswith("math-tutor-")


async def test_who_may_make_no_connections_is_told_what_is_missing(api: Api, other: Api, server: Server) -> None:
    gpt = await made(other, connections=await connections(other))
    archive = await other.download(f"/gpts/{gpt['id']}/export")
    ada = await member(api, server.app.state.keys, "Ada")
    told = await taken(ada, archive)
    assert {one["kind"] for one in told["notes"]} == {"connection"}
    assert (len(told["notes"]), told["gpt"]["draft"]["connections"]) == (4, [])
    assert (await get(api, CONNECTIONS))["data"] == []


async def test_a_model_that_is_not_there_is_the_default_one(ada: Api) -> None:
    text = profile(content={"name": "Small", "model": "large-9000"})
    told = await taken(ada, packed({"gpt.json": text, "__MACOSX/x": b"", "knowledge/": b""}))
    assert (told["gpt"]["draft"]["model"], told["notes"][0]["kind"]) == ("default", "model")


async def test_only_those_who_may_edit_a_gpt_export_it(ada: Api, bob: Api) -> None:
    gpt = await made(ada, allow_duplicate=True)
    await bob.refused("GET", f"/gpts/{gpt['id']}/export", status=404)
    await post(ada, f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    assert (await bob.refused("GET", f"/gpts/{gpt['id']}/export", status=403))["code"] == "not_your_gpt"


def _bomb() -> bytes:
    return packed({"gpt.json": profile(), **{f"knowledge/{n}": b"\0" * 9_000_000 for n in range(31)}})


def _lying_size() -> bytes:
    """An archive whose list says that a file is small."""
    good = packed({"gpt.json": profile(picture="p.png"), "p.png": PNG + b"\0" * 6_000_000})
    at = good.rindex(b"PK\x01\x02")
    return good[: at + 24] + struct.pack("<L", 100) + good[at + 28 :]


def _many() -> bytes:
    return packed({f"f{number}": b"" for number in range(300)})


def _said_to_be_few() -> bytes:
    many = _many()
    return many[:-22] + many[-22:-14] + struct.pack("<HH", 1, 1) + many[-10:]


def _encrypted() -> bytes:
    good = bytearray(packed({"gpt.json": profile()}))
    at = good.rindex(b"PK\x01\x02")
    good[at + 8] |= 1
    return bytes(good)


def _twice() -> bytes:
    good = packed({"gpt.json": profile(), "gpt.jsoN": b"{}"})
    return good.replace(b"gpt.jsoN", b"gpt.json")


def _reaches(url: str, **fields: Any) -> bytes:
    return packed({"gpt.json": profile(connections=[{"type": "mcp", "name": "Pets", "url": url, **fields}])})


def _odd_name() -> bytes:
    """An archive whose file has another name than its list says, and one that is no text."""
    good = packed({"gpt.json": profile(picture="é.png"), "é.png": PNG})
    return good.replace("é.png".encode(), b"\xff\xff.png", 1)


def _one_file_often() -> bytes:
    often = [{"path": "knowledge/1", "filename": f"{number}.txt"} for number in range(100)]
    return packed({"gpt.json": profile(knowledge=often), "knowledge/1": b"x"})


KNOWS = {"knowledge": [{"path": "knowledge/1", "filename": "a.txt"}]}


@pytest.mark.parametrize(
    ("archive", "status"),
    [
        (lambda: b"", 400),
        (lambda: b"hello" * 100, 400),
        (lambda: packed({"other.json": b"{}"}), 400),
        (lambda: packed({"gpt.json": b"{"}), 400),
        (lambda: packed({"gpt.json": b'{"content": {"name": ""}}'}), 400),
        (lambda: packed({"gpt.json": profile(key="x")}), 400),
        (lambda: packed({"gpt.json": profile(**KNOWS)}), 400),
        (lambda: packed({"gpt.json": profile(picture="p.png"), "p.png": b"<svg/>"}), 400),
        (lambda: packed({"gpt.json": profile(), "../../etc/cron.d/x": b"x"}), 400),
        (lambda: packed({"gpt.json": profile(), "/etc/passwd": b"x"}), 400),
        (lambda: packed({"gpt.json": profile(), "C:/x": b"x"}), 400),
        (lambda: packed({"gpt.json": profile()}, zipfile.ZIP_LZMA), 400),
        (lambda: packed({"gpt.json": profile()}) + b"tail", 400),
        (lambda: packed({"gpt.json": b"[" * 100_000}), 400),
        (_bomb, 413),
        (_lying_size, 400),
        (_many, 400),
        (_said_to_be_few, 400),
        (_encrypted, 400),
        (_twice, 400),
        (_odd_name, 400),
        (_one_file_often, 400),
    ],
)
async def test_hostile_archives_change_nothing(api: Api, ada: Api, archive: Callable[[], bytes], status: int) -> None:
    answer = await imported(ada, archive())
    assert answer.status == status, answer.body
    assert answer.body["error"]["param"] == "file"
    assert (await get(ada, "/gpts?scope=mine"))["data"] == []
    assert (await api.get("/files"))["data"] == []


@pytest.mark.parametrize(
    "archive",
    [
        lambda: _reaches(""),
        lambda: _reaches("http://["),
        lambda: _reaches("http://a:99999999"),
        lambda: _reaches(URL, privacy_policy_url=""),
        lambda: _reaches(URL, auth={"type": "oauth", "client_id": "x", "token_url": ""}),
    ],
)
async def test_addresses_that_are_none_are_refused(api: Api, archive: Callable[[], bytes]) -> None:
    """By those, too, who may make connections."""
    answer = await imported(api, archive())
    assert (answer.status, answer.body["error"]["code"]) == (400, "invalid_archive")
    assert "connections.0" in answer.body["error"]["message"]


async def test_nothing_is_left_of_an_archive_that_breaks_off(api: Api) -> None:
    """The second file is broken: the first, and the connection, go again."""
    text = profile(
        knowledge=[{"path": f"knowledge/{number}", "filename": f"{number}.txt"} for number in (1, 2)],
        connections=[{"type": "action", "name": "Pets", "url": URL, "document": json.dumps(PETS)}],
    )
    good = packed({"gpt.json": text, "knowledge/1": b"one", "knowledge/2": b"two two two"}, zipfile.ZIP_STORED)
    answer = await imported(api, good.replace(b"two two two", b"two two too"))
    assert answer.status == 400
    assert "broken" in answer.body["error"]["message"]
    assert (await api.get("/files"))["data"] == []
    assert (await get(api, CONNECTIONS))["data"] == []
    assert (await taken(api, good))["gpt"]["name"] == "Small"


async def test_a_form_must_be_one_file(ada: Api) -> None:
    for part in ("picture", ""):
        assert (await imported(ada, b"x", part=part)).body["error"]["param"] == "file"
    await ada.refused("POST", "/gpts/import", {})


# --- copies


async def test_copies_are_made_where_the_owner_allows_it(ada: Api, bob: Api, upstream: ScriptedUpstream) -> None:
    fact, secret = await ada.file("Fact."), await ada.file("Draft only.")
    gpt = await made(ada, knowledge=[fact], picture=await ada.file(PNG, "tutor.png"))
    path = f"/gpts/{gpt['id']}"
    await bob.refused("POST", path + "/duplicate", {}, status=404)
    await post(ada, path + "/publish", {"visibility": "store"})
    await post(ada, path, {"knowledge": [fact, secret], "instructions": "Not yet."})
    assert (await bob.refused("POST", path + "/duplicate", {}, status=403))["code"] == "not_your_gpt"
    await post(ada, path, {"allow_duplicate": True})
    copy = await post(bob, path + "/duplicate", {"name": "Bob's"})
    assert (copy["name"], copy["slug"], copy["visibility"], copy["version"]) == ("Bob's", "bob-s", "private", None)
    assert (copy["draft"]["instructions"], copy["draft"]["knowledge"]) == ("Teach.", [fact])
    # It is Bob's: he goes on with its files, and the draft's are still not for him.
    assert await bob.download(f"/files/{fact}/content") == b"Fact."
    await bob.refused("GET", f"/files/{secret}/content", status=403)
    for knowledge in ([], [fact], [fact, await bob.file("More.")]):
        assert (await post(bob, f"/gpts/{copy['id']}", {"knowledge": knowledge}))["draft"]["knowledge"] == knowledge
    await bob.refused("POST", f"/gpts/{copy['id']}", {"knowledge": [secret]}, status=403)
    upstream.script(Reply(text="Yes."))
    run = await bob.post("/threads/runs", {"assistant_id": copy["draft"]["assistant_id"]})
    await bob.until(run, "completed")
    # The owner copies the draft.
    assert (await post(ada, path + "/duplicate"))["draft"]["instructions"] == "Not yet."


async def test_a_copy_leaves_out_what_is_gone(api: Api, ada: Api) -> None:
    fact, connection = await ada.file("Fact."), await connect(api, document=PETS)
    gpt = await made(ada, knowledge=[fact], connections=[connection["id"]])
    await ada.delete(f"/files/{fact}")
    await api.call("DELETE", f"{CONNECTIONS}/{connection['id']}", extension=True)
    copy = (await post(ada, f"/gpts/{gpt['id']}/duplicate"))["draft"]
    assert (copy["knowledge"], copy["connections"]) == ([], [])


@pytest.mark.parametrize("slug", ["import", "People", "templates", "builder"])
async def test_slugs_that_are_addresses_are_refused(ada: Api, slug: str) -> None:
    error = await ada.refused("POST", "/gpts", {"name": "X", "slug": slug})
    assert error["param"] == "slug"
    assert (await made(ada, name=slug))["slug"].startswith(f"{slug.lower()}-")


async def test_people_are_for_people(api: Api, ada: Api) -> None:
    assert (await get(api, "/gpts/people"))["data"] == []


# --- trying a connection


async def test_a_call_can_be_tried(api: Api, ada: Api, server: Server) -> None:
    async with service() as pets:
        paths: Json = {"/pets": {"get": {"operationId": "listPets", "parameters": [{"name": "limit", "in": "query"}]}}}
        connection = await connect(
            api,
            document=document(paths, pets.url),
            consent="always",
            auth={"type": "api_key", "name": "X-Key", "key": SECRETS[0]},
        )
        path = f"{CONNECTIONS}/{connection['id']}/tools"
        (tool,) = (await get(ada, path))["data"]
        assert list(tool["parameters"]["properties"]) == ["limit"]
        called = await post(ada, f"{path}/listPets/call", {"arguments": {"limit": 2}})
        assert (called["failed"], called["name"], called["files"]) == (False, "listPets", [])
        assert SECRETS[0] not in called["output"]
        assert '{"method":"GET","target":"/pets?limit=2"}' in called["output"]
        await ada.refused("POST", f"{path}/dropPets/call", {}, status=404)
        wrong = await ada.refused("POST", f"{path}/listPets/call", {"arguments": {"colour": 1}})
        assert "colour" in wrong["message"]
        reader = await member(api, server.app.state.keys, "Reader", "read")
        await reader.refused("POST", f"{path}/listPets/call", {}, status=403)
        assert [one.target for one in pets.got] == ["/pets?limit=2"]


async def test_whoever_has_not_signed_in_to_the_service_is_told(api: Api) -> None:
    connection = (await connections(api))[2]
    error = await api.refused("POST", f"{CONNECTIONS}/{connection}/tools/listPets/call", {})
    assert error["code"] == "sign_in_needed"
    other_tool = await api.refused("POST", f"{CONNECTIONS}/conn_x/tools/listPets/call", {}, status=404)
    assert "conn_x" in other_tool["message"]
