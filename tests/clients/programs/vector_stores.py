"""Files and vector stores, which moved from `client.beta.vector_stores` to `client.vector_stores` in client 1.66.

Run like `assistants.py`.
"""

from __future__ import annotations

import hashlib
import pathlib
import tempfile

import openai
from common import MODEL, WithClient, asked

TEXT = b"The retreat of the project Heron is in Oslo, in the second week of May."
#: What a list of steps leaves out unless it is asked for.
RESULTS = "step_details.tool_calls[*].file_search.results[*].content"


class WithStores(WithClient):
    """The client's vector stores, wherever it keeps them."""

    def setUp(self) -> None:
        super().setUp()
        self.stores = getattr(self.client, "vector_stores", None) or self.client.beta.vector_stores
        self.files = self.client.files

    def upload(self, name: str = "notes.txt") -> str:
        """The id of a new file."""
        return self.files.create(file=(name, TEXT), purpose="assistants").id


class Files(WithStores):
    """Files by themselves."""

    def test_a_file(self) -> None:
        made = self.files.create(file=("笔记.txt", TEXT), purpose="assistants")
        self.assertEqual((made.filename, made.bytes, made.purpose), ("笔记.txt", len(TEXT), "assistants"))
        self.assertEqual(self.files.retrieve(made.id), made)
        self.assertEqual(self.files.wait_for_processing(made.id, poll_interval=0.02).status, "processed")
        self.assertIn(made.id, [one.id for one in self.files.list(purpose="assistants", order="asc", limit=1)])
        self.assertTrue(self.files.delete(made.id).deleted)
        with self.assertRaises(openai.NotFoundError):
            self.files.retrieve(made.id)

    def test_a_content(self) -> None:
        made = self.files.create(file=("lines.jsonl", b"{}\n"), purpose="batch")
        self.assertEqual(self.files.content(made.id).read(), b"{}\n")


class Uploads(WithStores):
    """Files in parts."""

    #: Not a multiple of the size of a part.
    content = TEXT * 500

    def setUp(self) -> None:
        super().setUp()
        self.uploads = self.client.uploads

    def test_a_file_on_disk(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "notes.txt")
            path.write_bytes(self.content)
            done = self.uploads.upload_file_chunked(
                file=path,
                mime_type="text/plain",
                purpose="assistants",
                part_size=10_000,
                md5=hashlib.md5(self.content).hexdigest(),
            )
        self.assertEqual((done.status, done.bytes, done.filename), ("completed", len(self.content), "notes.txt"))
        self.assertEqual(self.files.retrieve(done.file.id), done.file)
        self.assertEqual(self.files.content(done.file.id).read(), self.content)

    def test_bytes_in_memory(self) -> None:
        done = self.uploads.upload_file_chunked(
            file=self.content, filename="a.txt", bytes=len(self.content), mime_type="text/plain", purpose="assistants"
        )
        self.assertEqual(self.files.content(done.file.id).read(), self.content)

    def test_part_by_part(self) -> None:
        made = self.uploads.create(filename="a.txt", bytes=6, mime_type="text/plain", purpose="assistants")
        self.assertEqual((made.status, made.file, made.expires_at), ("pending", None, made.created_at + 3600))
        last, first = [self.uploads.parts.create(made.id, data=piece) for piece in (b"def", b"abc")]
        self.assertEqual((first.upload_id, first.object), (made.id, "upload.part"))
        with self.assertRaisesRegex(openai.BadRequestError, "The parts hold 3 bytes"):
            self.uploads.complete(made.id, part_ids=[last.id])
        done = self.uploads.complete(made.id, part_ids=[first.id, last.id])
        self.assertEqual(self.files.content(done.file.id).read(), b"abcdef")

    def test_cancelled(self) -> None:
        made = self.uploads.create(filename="a.txt", bytes=6, mime_type="text/plain", purpose="assistants")
        self.assertEqual(self.uploads.cancel(made.id).status, "cancelled")
        with self.assertRaisesRegex(openai.BadRequestError, "is cancelled"):
            self.uploads.parts.create(made.id, data=b"abc")


class Stores(WithStores):
    """Vector stores, their files and batches."""

    def test_a_store_is_changed_and_deleted(self) -> None:
        made = self.stores.create(
            name="Notes", metadata={"a": "b"}, expires_after={"anchor": "last_active_at", "days": 7}
        )
        self.assertEqual((made.name, made.status, made.file_counts.total), ("Notes", "completed", 0))
        self.assertEqual(made.expires_after.days, 7)
        self.assertEqual(self.stores.update(made.id, name="New").name, "New")
        self.assertEqual(self.stores.retrieve(made.id).name, "New")
        nameless = self.stores.create()
        self.assertEqual([one.id for one in self.stores.list(limit=1)][:2], [nameless.id, made.id])
        self.assertTrue(self.stores.delete(made.id).deleted)
        with self.assertRaises(openai.NotFoundError):
            self.stores.retrieve(made.id)

    def test_files_one_by_one(self) -> None:
        store = self.stores.create()
        first = self.upload()
        added = self.stores.files.create_and_poll(first, vector_store_id=store.id, poll_interval_ms=20)
        self.assertEqual((added.id, added.status, added.last_error), (first, "completed", None))
        second = self.stores.files.upload_and_poll(
            vector_store_id=store.id,
            file=("b.md", TEXT),
            poll_interval_ms=20,
            chunking_strategy={"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 10}},
        )
        self.assertEqual((second.status, second.chunking_strategy.static.max_chunk_size_tokens), ("completed", 100))
        completed = self.stores.files.list(store.id, filter="completed", order="asc", limit=1)
        self.assertEqual([one.id for one in completed], [first, second.id])
        before = self.stores.files.list(store.id, order="asc", before=second.id)
        self.assertEqual([one.id for one in before.data], [first])
        counts = self.stores.retrieve(store.id).file_counts
        self.assertEqual((counts.completed, counts.failed, counts.total), (2, 0, 2))
        self.assertTrue(self.stores.files.delete(first, vector_store_id=store.id).deleted)
        self.assertEqual(self.files.retrieve(first).id, first)
        self.assertEqual([one.id for one in self.stores.files.list(store.id)], [second.id])

    def test_a_batch(self) -> None:
        store = self.stores.create(file_ids=[self.upload()])
        batch = self.stores.file_batches.upload_and_poll(
            store.id, files=[("a.txt", TEXT), ("b.txt", TEXT)], file_ids=[self.upload("c.txt")], poll_interval_ms=20
        )
        self.assertEqual((batch.status, batch.file_counts.completed), ("completed", 3))
        self.assertEqual(self.stores.file_batches.retrieve(batch.id, vector_store_id=store.id), batch)
        listed = list(self.stores.file_batches.list_files(batch.id, vector_store_id=store.id, limit=2))
        self.assertEqual({one.status for one in listed}, {"completed"})
        self.assertEqual(len(listed), 3)
        (last,) = self.stores.file_batches.list_files(
            batch.id,
            vector_store_id=store.id,
            filter="completed",
            order="asc",
            before=listed[0].id,
            after=listed[-1].id,
        ).data
        self.assertEqual(last.id, listed[1].id)
        polled = self.stores.file_batches.create_and_poll(store.id, file_ids=[last.id], poll_interval_ms=20)
        self.assertEqual((polled.status, polled.file_counts.total), ("completed", 1))
        self.assertEqual(self.stores.file_batches.cancel(polled.id, vector_store_id=store.id).status, "completed")

    def test_an_assistant_with_a_store(self) -> None:
        store = self.stores.create(file_ids=[self.upload()])
        made = self.assistants.create(
            model=MODEL,
            tools=[{"type": "file_search"}],
            tool_resources={"file_search": {"vector_store_ids": [store.id]}},
        )
        self.assertEqual(made.tool_resources.file_search.vector_store_ids, [store.id])
        resources = {"file_search": {"vector_stores": [{"file_ids": [self.upload()]}]}}
        thread = self.threads.create(tool_resources=resources)
        (of_thread,) = thread.tool_resources.file_search.vector_store_ids
        self.assertEqual(self.stores.retrieve(of_thread).id, of_thread)
        attachments = [{"file_id": self.upload(), "tools": [{"type": "file_search"}]}]
        message = self.messages.create(thread.id, role="user", content="Read.", attachments=attachments)
        self.assertEqual(message.attachments[0].file_id, attachments[0]["file_id"])


class FileSearch(WithStores):
    """A run that searches."""

    def test_an_answer_with_citations(self) -> None:
        file = self.upload()
        store = self.stores.create(file_ids=[file])
        self.stores.files.poll(file, vector_store_id=store.id, poll_interval_ms=20)
        resources = {"file_search": {"vector_store_ids": [store.id]}}
        made = self.assistants.create(model=MODEL, tools=[{"type": "file_search"}], tool_resources=resources)
        thread = self.threads.create(messages=asked("Search for retreat"))
        with self.runs.stream(thread_id=thread.id, assistant_id=made.id) as stream:
            stream.until_done()
        (message,) = stream.get_final_messages()
        self.assertEqual(message, self.messages.retrieve(message.id, thread_id=thread.id))
        text = message.content[0].text
        self.assertIn(TEXT.decode(), text.value)
        last = text.annotations[-1]
        self.assertEqual(last.file_citation.file_id, file)
        self.assertEqual(text.value[last.start_index : last.end_index], last.text)
        run = stream.current_run.id
        step = self.runs.steps.list(run, thread_id=thread.id, order="asc", include=[RESULTS]).data[0]
        (call,) = step.step_details.tool_calls
        self.assertEqual(call.file_search.results[0].file_id, file)
        self.assertEqual(call.file_search.results[0].content[0].text, TEXT.decode())


class Attributes(WithStores):
    """What came with the move out of beta."""

    def setUp(self) -> None:
        super().setUp()
        if self.stores is not getattr(self.client, "vector_stores", None):
            self.skipTest("this client knows neither attributes nor contents")

    def test_attributes_and_contents(self) -> None:
        store = self.stores.create()
        file = self.upload()
        added = self.stores.files.create(store.id, file_id=file, attributes={"year": 2026, "draft": False})
        self.assertEqual(added.attributes, {"year": 2026, "draft": False})
        self.assertEqual(self.stores.files.poll(file, vector_store_id=store.id).status, "completed")
        changed = self.stores.files.update(file, vector_store_id=store.id, attributes={"year": 2025})
        self.assertEqual(changed.attributes, {"year": 2025})
        text = "".join(one.text for one in self.stores.files.content(file, vector_store_id=store.id))
        self.assertEqual(text, TEXT.decode())

    def test_a_search(self) -> None:
        store = self.stores.create()
        file = self.upload()
        self.stores.files.create(store.id, file_id=file, attributes={"year": 2026})
        self.assertEqual(
            self.stores.files.poll(file, vector_store_id=store.id, poll_interval_ms=20).status, "completed"
        )
        wanted = {"type": "and", "filters": [{"type": "gte", "key": "year", "value": 2026}]}
        found = self.stores.search(
            store.id,
            query=["retreat", "Where is Heron?"],
            filters=wanted,
            max_num_results=3,
            ranking_options={"ranker": "auto", "score_threshold": 0.01},
        )
        (result,) = list(found)
        self.assertEqual((result.file_id, result.filename, result.attributes), (file, "notes.txt", {"year": 2026}))
        self.assertEqual(result.content[0].text, TEXT.decode())
        self.assertTrue(0 < result.score <= 1)
        none = {"type": "lt", "key": "year", "value": 2026}
        self.assertEqual(list(self.stores.search(store.id, query="retreat", filters=none)), [])
