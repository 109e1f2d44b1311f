"""What only the client of Assistants v1 has: `retrieval`, `file_ids`, files of assistants and messages.

Run like `assistants.py`.
"""

from __future__ import annotations

import openai
from common import MODEL, WithClient, asked, text_of

TEXT = b"The retreat is in Oslo."


class Version1(WithClient):
    """One set of objects, seen through v1."""

    def setUp(self) -> None:
        super().setUp()
        self.files = self.client.files

    def upload(self, name: str = "notes.txt") -> str:
        """The id of a new file."""
        return self.files.create(file=(name, TEXT), purpose="assistants").id

    def test_files_of_an_assistant(self) -> None:
        first, second = self.upload("1.txt"), self.upload("2.txt")
        made = self.assistants.create(model=MODEL, tools=[{"type": "retrieval"}], file_ids=[first])
        self.assertEqual(([tool.type for tool in made.tools], made.file_ids), (["retrieval"], [first]))
        added = self.assistants.files.create(made.id, file_id=second)
        self.assertEqual((added.id, added.assistant_id), (second, made.id))
        self.assertEqual(self.assistants.files.retrieve(second, assistant_id=made.id), added)
        self.assertEqual([one.id for one in self.assistants.files.list(made.id, order="asc", limit=1)], [first, second])
        self.assertTrue(self.assistants.files.delete(first, assistant_id=made.id).deleted)
        self.assertEqual(self.assistants.retrieve(made.id).file_ids, [second])
        self.assertEqual(self.assistants.update(made.id, file_ids=[]).file_ids, [])
        self.assertEqual(self.files.retrieve(first).id, first)
        with self.assertRaises(openai.NotFoundError):
            self.assistants.files.retrieve(first, assistant_id=made.id)

    def test_files_of_a_message(self) -> None:
        file = self.upload()
        thread = self.threads.create(messages=[{"role": "user", "content": "Read.", "file_ids": [file]}])
        (first,) = self.messages.list(thread.id).data
        second = self.messages.create(thread.id, role="user", content="Again.", file_ids=[file])
        self.assertEqual((first.file_ids, second.file_ids), ([file], [file]))
        (found,) = self.messages.files.list(second.id, thread_id=thread.id).data
        self.assertEqual((found.id, found.message_id), (file, second.id))
        self.assertEqual(self.messages.files.retrieve(file, thread_id=thread.id, message_id=second.id), found)

    def test_a_run(self) -> None:
        file = self.upload()
        made = self.assistants.create(model=MODEL, tools=[{"type": "retrieval"}], file_ids=[file])
        run = self.threads.create_and_run_poll(assistant_id=made.id, thread={"messages": asked("Hi")})
        self.assertEqual(([tool.type for tool in run.tools], run.file_ids), (["retrieval"], [file]))
        self.assertEqual(run.status, "completed")
        self.assertEqual(text_of(self.messages.list(run.thread_id).data[0]), "Hi")
        with self.runs.stream(thread_id=run.thread_id, assistant_id=made.id) as stream:
            created = [event.data for event in stream if event.event == "thread.run.created"]
        self.assertEqual(created[0].file_ids, [file])

    def test_an_answer_with_citations(self) -> None:
        file = self.upload()
        made = self.assistants.create(model=MODEL, tools=[{"type": "retrieval"}], file_ids=[file])
        run = self.threads.create_and_run_poll(assistant_id=made.id, thread={"messages": asked("Search for retreat")})
        self.assertEqual(run.status, "completed")
        text = self.messages.list(run.thread_id).data[0].content[0].text
        last = text.annotations[-1]
        self.assertEqual(last.file_citation.file_id, file)
        self.assertIn(last.file_citation.quote, TEXT.decode())
        self.assertEqual(text.value[last.start_index : last.end_index], last.text)
        step = self.runs.steps.list(run.id, thread_id=run.thread_id, order="asc").data[0]
        (call,) = step.step_details.tool_calls
        self.assertEqual((call.type, call.retrieval), ("retrieval", {}))

    def test_the_same_assistant_through_v2(self) -> None:
        file = self.upload()
        made = self.assistants.create(model=MODEL, tools=[{"type": "retrieval"}], file_ids=[file])
        later = {"OpenAI-Beta": "assistants=v2"}
        answer = self.assistants.with_raw_response.retrieve(made.id, extra_headers=later)
        body = answer.http_response.json()
        self.assertEqual([tool["type"] for tool in body["tools"]], ["file_search"])
        self.assertEqual(len(body["tool_resources"]["file_search"]["vector_store_ids"]), 1)
        self.assertNotIn("file_ids", body)
