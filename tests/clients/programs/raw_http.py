"""Chat completions by `requests`, line by line, as scripts do that use no client. Run like `assistants.py`."""

# `requests` is in the environment of the program, not in that of the types' checker.
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import json
import os
import unittest
from typing import Any

import requests

URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
HEADERS = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}", "Content-Type": "application/json"}
ASKED: dict[str, Any] = {
    "model": "gpt-3.5-turbo-1106",
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Who won the world series in 2020?"},
        {"role": "assistant", "content": "The Los Angeles Dodgers won the World Series in 2020."},
        {"role": "user", "content": "Where was it played?"},
    ],
}


class RawHttp(unittest.TestCase):
    """One request without and some with a stream."""

    def test_an_answer(self) -> None:
        session = requests.Session()
        self.addCleanup(session.close)
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=2))
        result = session.post(URL, headers=HEADERS, data=json.dumps(ASKED).encode(), timeout=20)
        self.assertEqual(result.json()["choices"][0]["message"]["content"], "Where was it played?")
        self.assertEqual(result.headers["OpenAI-Model"], "scripted")

    def test_a_stream_by_lines(self) -> None:
        for read_at_once in (True, False):
            with requests.post(
                URL, headers=HEADERS, json={**ASKED, "stream": True}, stream=not read_at_once, timeout=20
            ) as response:
                lines = [line for line in response.iter_lines() if line.startswith(b"data: ")]
            self.assertEqual(lines.pop(), b"data: [DONE]")
            deltas = [json.loads(line[6:])["choices"][0]["delta"] for line in lines]
            self.assertEqual("".join(delta.get("content", "") for delta in deltas), "Where was it played?")

    def test_an_error(self) -> None:
        result = requests.post(URL, headers=HEADERS, json={**ASKED, "n": 0}, timeout=20)
        self.assertEqual((result.status_code, result.json()["error"]["param"]), (400, "n"))
