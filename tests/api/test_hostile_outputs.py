"""What code of a model may leave for its users: names, kinds and sizes of files that are meant to do harm."""

from __future__ import annotations

import pytest

from ..harness import Api
from ..scripted import Call, Reply, ScriptedUpstream

CODE = {"tools": [{"type": "code_interpreter"}]}
#: Names of files: lines and headers, a terminal's controls, text from right to left, escapes, HTML, as long as they go.
NAMES = [
    "two\r\nContent-Type: text\uff0fhtml\r\n\r\n.csv",
    "\x1b]0;title\x07\x1b[31m.txt",
    "invoice\u202efdp.exe",
    "..%2f..%2fetc%2fpasswd",
    '"; filename="x.html',
    "<script>alert(1)<\u2215script>.html",
    "sub/..\\..\\boot.ini",
    "deep/" * 14 + "file",
    "数" * 85,
    " ",
    "~",
    "-rf",
]


async def answer(api: Api, upstream: ScriptedUpstream, code: str) -> tuple[str, list[dict[str, str]]]:
    """What the model is told after its code has run, and all files that there are then."""
    upstream.script(Reply(tool_calls=[Call("code_interpreter", {"code": code})]), Reply(text="Done."))
    assert (await api.run(assistant=CODE))["status"] == "completed"
    told = next(one["content"] for one in reversed(upstream.requests[-1]["messages"]) if one["role"] == "tool")
    return told, (await api.get("/files?limit=100"))["data"]


async def test_names_of_files_do_no_harm(api: Api, upstream: ScriptedUpstream) -> None:
    code = f"""
import os
for name in {NAMES!r}:
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "w") as file:
        file.write(name)
"""
    _, files = await answer(api, upstream, code)
    assert sorted(file["filename"] for file in files) == sorted(name.rpartition("/")[2] for name in NAMES)
    for file in files:
        downloaded = await api.request("GET", f"/files/{file['id']}/content")
        assert downloaded.status == 200
        disposition = downloaded.headers["content-disposition"]
        assert disposition.startswith("attachment; filename*=UTF-8''")
        assert not set(disposition.removeprefix("attachment; filename*=UTF-8''")) & set(" \"';\r\n\x1b<>\\/")


async def test_what_is_no_file_is_left_out(api: Api, upstream: ScriptedUpstream) -> None:
    code = """
import os, socket
os.mkfifo("fifo")
os.symlink("/etc/localtime", "link")
os.symlink("/", "root")
socket.socket(socket.AF_UNIX).bind("socket")
open(b"\\xff\\xfe", "w").close()
os.makedirs("deep/" * 40)
open("deep/" * 40 + "file", "w").close()
os.chdir("/mnt/data")
for _ in range(80):
    os.mkdir("x" * 200)
    os.chdir("x" * 200)
open("far", "w").close()
os.chdir("/mnt/data")
open("good", "w").close()
"""
    told, files = await answer(api, upstream, code)
    assert "Error" not in told
    assert [file["filename"] for file in files] == ["good"]


@pytest.mark.settings(sandbox_disk_bytes=16 * 1024**2)
async def test_files_with_holes_do_not_fill_the_disk(api: Api, upstream: ScriptedUpstream) -> None:
    code = """
for number in range(50):
    with open(f"{number:02}", "wb") as file:
        file.truncate(10 * 2**20)
"""
    told, files = await answer(api, upstream, code)
    assert [file["filename"] for file in files] == ["00"]
    # The model knows of some that the user does not get, and how many there are.
    assert told.count("The user does not get a file: `") == 4
    assert "Of 50 files written, the user gets 20." in told
