"""`/v1/organization/models` and `/v1/organization/settings`: administration of what stands in the settings file."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from pydantic import SecretStr

from retinue.inference.upstream_keys import opened, sealed
from retinue.model_settings import DEFAULT_EMBEDDING_MODEL
from retinue.settings import Settings

from ..dump import files_with
from ..harness import Api, Json, Server, eventually
from ..scripted import Reply, ScriptedUpstream
from .extensions import get, post

MODELS = "/organization/models"
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture
async def admin(server: Server, api: Api) -> Api:
    value, _ = await server.app.state.keys.create("admin", project=None)
    return api.with_key(value)


def in_file(folder: Path) -> Json:
    """What the file has, with its keys as they are sent."""
    found = tomllib.loads((folder / "retinue.toml").read_text("utf-8"))
    for model in found.get("models", {}).values():
        for server in (model, *model.get("upstreams", ())):
            if "api_key" in server:
                assert server["api_key"].startswith("sealed:")
                server["api_key"] = opened(SecretStr(server["api_key"]), Settings(data=folder))
    return found


async def test_a_model_is_added_answers_at_once_and_is_removed(
    admin: Api, api: Api, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    (tmp_path / "retinue.toml").write_text("# mine\nport = 9\n", "utf-8")
    body = {"name": "added", "base_url": upstream.base_url, "api_key": "sk-upstream-secret", "input_price": 0.15}
    made = await post(admin, MODELS, {**body, "default_for": ["default"]})
    assert (made["id"], made["source"], made["backend"], made["input_price"]) == ("added", "file", "openai", 0.15)
    assert made["default_for"] == ["default"]
    assert made["servers"][0] | {"has_api_key": True, "health": "well", "failures": 0} == made["servers"][0]
    upstream.script(Reply(text="Hello"))
    answer = await api.post("/chat/completions", {"model": "default", "messages": [{"role": "user", "content": "Hi"}]})
    assert answer["choices"][0]["message"]["content"] == "Hello"
    assert upstream.request_headers[-1]["authorization"] == "Bearer sk-upstream-secret"
    file = tmp_path / "retinue.toml"
    assert in_file(tmp_path)["models"]["added"]["api_key"] == "sk-upstream-secret"
    assert not files_with(tmp_path, "sk-upstream-secret")
    assert file.read_text("utf-8").startswith("# mine\nport = 9\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for path in (MODELS, f"{MODELS}/added"):
        assert "sk-upstream-secret" not in str(await get(admin, path))
    gone = await admin.call("DELETE", f"{MODELS}/added", extension=True)
    assert gone == {"id": "added", "object": "organization.model.deleted", "deleted": True}
    assert in_file(tmp_path) == {"port": 9}
    assert (await admin.request("GET", f"{MODELS}/added")).status == 404
    log = (await get(admin, "/organization/audit_logs?event_types[]=model.created&event_types[]=model.deleted"))["data"]
    assert [(one["act"]["type"], one["act"]["id"]) for one in log] == [
        ("model.deleted", "added"),
        ("model.created", "added"),
    ]
    assert "secret" not in str(log)


async def test_what_is_not_sent_stays_and_a_key_goes_to_no_other_address(admin: Api, tmp_path: Path) -> None:
    first = {"name": "m", "base_url": NOWHERE, "api_key": "sk-1", "context_length": 4096, "tools": "native"}
    await post(admin, MODELS, first)
    changed = await post(admin, MODELS, {"name": "m", "context_length": 8000, "tools": None})
    assert changed["context_length"] == 8000
    assert in_file(tmp_path)["models"]["m"] == {"base_url": NOWHERE, "api_key": "sk-1", "context_length": 8000}
    several = [{"base_url": NOWHERE}, {"base_url": "http://127.0.0.1:8/v1", "tier": 1}]
    shown = await post(admin, MODELS, {"name": "m", "upstreams": several})
    assert [(one["tier"], one["has_api_key"]) for one in shown["servers"]] == [(0, True), (1, False)]
    model = in_file(tmp_path)["models"]["m"]
    assert "api_key" not in model
    assert "base_url" not in model
    assert [one.get("api_key") for one in model["upstreams"]] == ["sk-1", None]
    shown = await post(admin, MODELS, {"name": "m", "base_url": NOWHERE})
    assert in_file(tmp_path)["models"]["m"] == {"base_url": NOWHERE, "api_key": "sk-1", "context_length": 8000}
    shown = await post(admin, MODELS, {"name": "m", "base_url": "http://127.0.0.1:7/v1"})
    assert [one["has_api_key"] for one in shown["servers"]] == [False]
    assert in_file(tmp_path)["models"]["m"] == {"base_url": "http://127.0.0.1:7/v1", "context_length": 8000}


async def test_a_key_that_a_person_has_written_stays_legible_until_the_model_is_changed(
    admin: Api, api: Api, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    file, ask = tmp_path / "retinue.toml", {"model": "mine", "messages": [{"role": "user", "content": "Hi"}]}
    file.write_text(f'[models.mine]\nbase_url = "{upstream.base_url}"\napi_key = "sk-by-hand"\n', "utf-8")
    await post(admin, MODELS, {"name": "other", "base_url": NOWHERE})
    assert "sk-by-hand" in file.read_text("utf-8")
    for change in ({}, {"context_length": 4096}, {"context_length": 8000}):
        if change:
            await post(admin, MODELS, {"name": "mine", **change})
            assert "sk-by-hand" not in file.read_text("utf-8")
        await api.post("/chat/completions", ask)
        assert upstream.request_headers[-1]["authorization"] == "Bearer sk-by-hand"
    assert in_file(tmp_path)["models"]["mine"]["api_key"] == "sk-by-hand"


async def test_a_key_of_another_installation_is_told_and_harms_no_other_server(
    admin: Api, api: Api, tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    strange = sealed({"base_url": upstream.base_url, "api_key": "sk-1"}, Settings(secret_key="k" * 32))
    toml = tomlkit.dumps({"models": {"strange": strange, "two": {"upstreams": [strange, {**strange, "tier": 1}]}}})
    (tmp_path / "retinue.toml").write_text(toml, "utf-8")
    two = [{"base_url": NOWHERE}, {"base_url": upstream.base_url, "tier": 1, "api_key": "sk-2"}]
    found = await eventually(lambda: get(admin, MODELS), lambda now: "strange" in [one["id"] for one in now["data"]])
    assert next(one for one in found["data"] if one["id"] == "strange")["servers"][0]["has_api_key"]
    ask = {"model": "strange", "messages": [{"role": "user", "content": "Hi"}]}
    answer = await api.request("POST", "/chat/completions", ask)
    assert answer.status == 502
    assert "encrypted with another `secret_key`" in answer.body["error"]["message"]
    assert not upstream.requests
    shown = await post(admin, MODELS, {"name": "two", "upstreams": two})
    assert [one["has_api_key"] for one in shown["servers"]] == [False, True]
    await api.post("/chat/completions", {**ask, "model": "two"})
    await post(admin, MODELS, {"name": "strange", "api_key": "sk-3"})
    await api.post("/chat/completions", ask)
    assert upstream.request_headers[-1]["authorization"] == "Bearer sk-3"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"name": "m"}, "needs a base_url"),
        ({"name": "m", "base_url": "ftp://x"}, "http:// or https://"),
        ({"name": "m", "base_url": NOWHERE, "upstreams": [{"base_url": NOWHERE}]}, "not both"),
        ({"name": "m", "backend": "local", "weights": "/etc/passwd"}, "retinue models add"),
        ({"name": "m", "backend": "embedder", "weights": "qwen2.5-coder-0.5b-instruct"}, "with `embedder` one of"),
        ({"name": "m m", "base_url": NOWHERE}, "name"),
        ({"name": "a*b", "base_url": NOWHERE}, "name"),
        ({"name": "m", "base_url": NOWHERE, "api_key": "sk\nx"}, "visible ASCII"),
        ({"name": "m", "base_url": NOWHERE, "proxy": "http://x"}, "proxy"),
    ],
)
async def test_what_is_no_model_is_refused_and_nothing_is_written_or_noted(
    admin: Api, tmp_path: Path, body: Json, says: str
) -> None:
    answer = await admin.request("POST", MODELS, body)
    assert answer.status == 400
    assert says in answer.body["error"]["message"]
    assert not (tmp_path / "retinue.toml").exists()
    assert not (await get(admin, "/organization/audit_logs?event_types[]=model.created"))["data"]


async def test_what_does_not_stand_in_the_file_is_not_removed(admin: Api) -> None:
    sources = {one["id"]: one["source"] for one in (await get(admin, MODELS))["data"]}
    assert (sources["scripted"], sources[DEFAULT_EMBEDDING_MODEL]) == ("environment", "built_in")
    for name, says in (("scripted", "environment"), (DEFAULT_EMBEDDING_MODEL, "comes with Retinue")):
        answer = await admin.request("DELETE", f"{MODELS}/{name}")
        assert answer.status == 400
        assert says in answer.body["error"]["message"]
    assert (await admin.request("DELETE", f"{MODELS}/nothing")).status == 404


async def test_a_file_that_is_no_toml_is_told_and_left_alone(admin: Api, tmp_path: Path) -> None:
    (tmp_path / "retinue.toml").write_text("what = = this", "utf-8")
    answer = await admin.request("POST", MODELS, {"name": "m", "base_url": NOWHERE})
    assert answer.status == 503
    assert "settings file" in answer.body["error"]["message"]
    assert (tmp_path / "retinue.toml").read_text("utf-8") == "what = = this"


async def test_a_model_is_asked(admin: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="OK."))
    found = await post(admin, f"{MODELS}/scripted/test")
    [result] = found["results"]
    assert (found["ok"], found["kind"], found["model"]) == (True, "chat", "scripted")
    assert (result["ok"], result["answer"], result["error"]) == (True, "OK.", None)
    assert result["base_url"] == upstream.base_url
    assert result["latency_ms"] >= 0
    assert upstream.requests[-1]["max_tokens"] == 16
    found = await post(admin, f"{MODELS}/scripted/test", {"kind": "embeddings"})
    assert int(found["results"][0]["answer"]) > 1


async def test_a_server_that_knows_no_limit_of_tokens_is_asked_without(admin: Api, upstream: ScriptedUpstream) -> None:
    refusal: dict[str, Any] = {"error": {"message": "Unsupported parameter: 'max_tokens'"}}
    upstream.script(Reply(status=400, error=refusal), Reply(text="OK"))
    found = await post(admin, f"{MODELS}/scripted/test")
    assert found["ok"]
    assert "max_tokens" not in upstream.requests[-1]


async def test_each_server_is_asked_and_its_failure_counts(admin: Api, upstream: ScriptedUpstream) -> None:
    several = [{"base_url": upstream.base_url}, {"base_url": NOWHERE}]
    await post(admin, MODELS, {"name": "two", "upstreams": several})
    upstream.script(Reply(text="OK"))
    found = await post(admin, f"{MODELS}/two/test")
    assert [one["ok"] for one in found["results"]] == [True, False]
    assert not found["ok"]
    assert found["results"][1]["error"]
    shown = await get(admin, f"{MODELS}/two")
    assert [(one["health"], one["failures"]) for one in shown["servers"]] == [("well", 0), ("resting", 1)]
    assert shown["servers"][1]["failed_at"]
    assert shown["servers"][1]["rests_until"]


async def test_a_pattern_is_not_asked_but_what_fits_it(admin: Api, upstream: ScriptedUpstream) -> None:
    await post(admin, MODELS, {"name": "org/big-*", "base_url": upstream.base_url})
    assert (await admin.request("POST", f"{MODELS}/org/big-*/test", {})).status == 400
    upstream.script(Reply(text="OK"))
    assert (await post(admin, f"{MODELS}/org/big-7b/test"))["ok"]
    assert upstream.requests[-1]["model"] == "org/big-7b"


@pytest.mark.settings(search_key="sk-search-secret", max_webhooks=7)
async def test_settings_are_told_without_secrets(admin: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # With the model: it is what counts once the server has seen that there is a file.
    written = 'max_queued_messages = 100\n[models.scripted]\nbase_url = "http://127.0.0.1:9/v1"\n'
    (tmp_path / "retinue.toml").write_text(written, "utf-8")
    monkeypatch.setenv("RETINUE_PORT", "8000")
    found = await get(admin, "/organization/settings")
    assert found["file"] == str(tmp_path / "retinue.toml")
    assert "sk-search-secret" not in str(found)
    settings = {one["id"]: one for one in found["data"]}
    assert all(one["description"] and one["group"] for one in settings.values())
    assert settings["search_key"] | {"secret": True, "set": True, "value": None} == settings["search_key"]
    assert settings["max_webhooks"]["value"] == "7"
    assert settings["models"]["value"] == "scripted"
    sources = {name: settings[name]["source"] for name in ("port", "max_queued_messages", "max_webhooks", "ocr")}
    assert sources == {
        "port": "environment",
        "max_queued_messages": "file",
        "max_webhooks": "argument",
        "ocr": "default",
    }
    assert settings["database_url"]["environment"] == "RETINUE_DATABASE_URL or DATABASE_URL"
    assert settings["host"]["description"] == "Address to listen on."


async def test_a_projects_key_opens_none_of_this(api: Api) -> None:
    for method, path in (("GET", MODELS), ("POST", MODELS), ("POST", f"{MODELS}/scripted/test")):
        assert (await api.request(method, path, {} if method == "POST" else None)).status == 403
    assert (await api.request("GET", "/organization/settings")).status == 403
