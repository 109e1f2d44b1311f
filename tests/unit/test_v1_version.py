"""Which version of the Assistants API a request speaks, and pages of short lists."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Match

from retinue.api.v1.paging import page_of
from retinue.api.v1.version import VersionOne, asked_version
from retinue.errors import InvalidRequest
from retinue.store.objects import PageQuery
from retinue.wire.v1 import MessageFile


def scope(*values: str, path: str = "/v1/assistants") -> dict[str, Any]:
    return {"type": "http", "path": path, "headers": [(b"openai-beta", value.encode()) for value in values]}


@pytest.mark.parametrize(
    ("values", "version"),
    [
        ([], "v2"),
        ([""], "v2"),
        (["realtime=v1"], "v2"),
        (["assistants=v2"], "v2"),
        (["assistants=v1"], "v1"),
        ([" Assistants=V1 "], "v1"),
        (["realtime=v1,assistants=v1"], "v1"),
        (["assistants=v1 , realtime=v1"], "v1"),
        (["realtime=v1", "assistants=v1"], "v1"),
        (["assistants=v1", "assistants=v1"], "v1"),
    ],
)
def test_versions(values: list[str], version: str):
    assert asked_version(scope(*values)) == version


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["assistants=v1,assistants=v2"], "two versions"),
        (["assistants=v2", "assistants=v1"], "two versions"),
        (["assistants=v3"], "versions 1 and 2"),
        (["assistants="], "versions 1 and 2"),
        (["assistants=v1", "assistants=v3"], "versions 1 and 2"),
    ],
)
def test_other_versions_are_refused(values: list[str], text: str):
    with pytest.raises(InvalidRequest, match=text) as caught:
        asked_version(scope(*values))
    assert caught.value.code == "invalid_beta"


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("/v1/assistants", Match.FULL),
        ("/v1/assistants/asst_1/files", Match.FULL),
        ("/v1/threads/runs", Match.FULL),
        ("/v1/files", Match.NONE),
        ("/v1/assistantsx", Match.NONE),
        ("/v2/assistants", Match.NONE),
        ("/", Match.NONE),
        ("", Match.NONE),
    ],
)
def test_only_assistants_and_threads_have_versions(path: str, match: Match):
    async def app(*_: Any) -> None: ...

    assert VersionOne(app).matches(scope("assistants=v1", path=path)) == (match, {})


@given(st.integers(0, 12), st.integers(1, 5), st.sampled_from(["asc", "desc"]))
def test_pages_follow_each_other_in_both_directions(count: int, limit: int, order: Any):
    items = [MessageFile(id=f"file-{number}", created_at=1, message_id="m") for number in range(count)]
    expected = [item.id for item in (items if order == "asc" else reversed(items))]
    page = page_of(items, PageQuery(limit=limit, order=order), "file")
    forward = [item.id for item in page.data]
    while page.has_more:
        page = page_of(items, PageQuery(limit=limit, order=order, after=page.last_id), "file")
        forward += [item.id for item in page.data]
    assert forward == expected
    backward: list[str] = [item.id for item in page.data]
    while backward and backward != expected:
        page = page_of(items, PageQuery(limit=limit, order=order, before=backward[0]), "file")
        assert page.data
        backward = [item.id for item in page.data] + backward
    assert backward == expected
    assert not page.has_more or count == 0 or page.first_id == expected[0]


def test_cursors_that_name_nothing_are_refused():
    with pytest.raises(InvalidRequest, match="Invalid 'after': no file found with id 'file-9'") as caught:
        page_of([], PageQuery(after="file-9"), "file")
    assert caught.value.param == "after"
