"""What only the client lines of Assistants v2 have. Run like `assistants.py`."""

from __future__ import annotations

import openai
from common import MODEL, WithClient, asked, text_of


class Version2(WithClient):
    """Fields and calls that v1 lacks."""

    def test_an_assistant(self) -> None:
        schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": {"type": "object"}}}
        made = self.assistants.create(
            model=MODEL, tools=[{"type": "file_search"}], temperature=0.5, top_p=0.9, response_format=schema
        )
        self.assertEqual(
            ([tool.type for tool in made.tools], made.temperature, made.top_p), (["file_search"], 0.5, 0.9)
        )
        self.assertEqual(self.assistants.retrieve(made.id), made)
        with self.assertRaises(openai.BadRequestError) as wrong:
            self.assistants.create(model=MODEL, temperature=3)
        self.assertEqual(wrong.exception.param, "temperature")

    def test_messages(self) -> None:
        parts = [{"type": "text", "text": "1"}]
        thread = self.threads.create(messages=[{"role": "user", "content": parts}, *asked("2")])
        second, first = self.messages.list(thread.id).data
        self.assertEqual((text_of(first), first.attachments), ("1", []))
        self.assertTrue(self.messages.delete(second.id, thread_id=thread.id).deleted)
        self.assertEqual([one.id for one in self.messages.list(thread.id)], [first.id])

    def test_a_run(self) -> None:
        run = self.threads.create_and_run_poll(
            assistant_id=self.tutor,
            thread={"messages": asked("Hi")},
            max_prompt_tokens=1000,
            max_completion_tokens=1000,
            parallel_tool_calls=False,
            tool_choice="none",
            truncation_strategy={"type": "last_messages", "last_messages": 1},
        )
        self.assertEqual((run.status, run.truncation_strategy.last_messages), ("completed", 1))
        self.assertEqual((run.max_prompt_tokens, run.parallel_tool_calls, run.tool_choice), (1000, False, "none"))
