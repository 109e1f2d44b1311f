"""What the official Python client does with webhooks, from line 3 on: endpoints, tests of them, events.

Run by `unittest` in the client's own environment, with OPENAI_BASE_URL and OPENAI_API_KEY set. Every answer is held
to the client's own types.
"""

from __future__ import annotations

import queue
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
from common import MODEL, OPTIONS, asked
from openai import AsyncOpenAI, OpenAI

PATIENCE = 20


class Receiver(ThreadingHTTPServer):
    """Takes what is sent to a webhook endpoint."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        #: Headers and body of each request.
        self.received: queue.SimpleQueue[tuple[dict[str, str], bytes]] = queue.SimpleQueue()
        self.status = 204


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.put((dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def start_receiver(test: unittest.TestCase) -> Receiver:
    """A receiver that lasts as long as the test."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    test.addCleanup(receiver.server_close)
    test.addCleanup(thread.join)
    test.addCleanup(receiver.shutdown)
    return receiver


class Webhooks(unittest.TestCase):
    """`client.webhooks`."""

    def setUp(self) -> None:
        self.receiver = start_receiver(self)
        # No types: they name other events than ours.
        self.client: Any = OpenAI(**OPTIONS)
        self.addCleanup(self.client.close)
        self.webhooks = self.client.webhooks

    def create(self, *event_types: str, name: str = "Test") -> Any:
        return self.webhooks.create(name=name, url=self.receiver.url, event_types=list(event_types))

    def receive(self, secret: str) -> Any:
        """The next event, verified."""
        headers, body = self.receiver.received.get(timeout=PATIENCE)
        return self.webhooks.unwrap(body, headers, secret=secret)

    def test_an_endpoint_from_creation_to_deletion(self) -> None:
        made = self.create("thread.run.completed", "file.*")
        self.assertEqual((made.name, made.url), ("Test", self.receiver.url))
        self.assertEqual(made.event_types, ["thread.run.completed", "file.*"])
        self.assertEqual(made.updated_at, made.created_at)
        found = self.webhooks.retrieve(made.id)
        self.assertEqual(found.to_dict() | {"signing_secret": made.signing_secret}, made.to_dict())
        self.assertTrue(made.signing_secret.endswith(found.signing_secret_hint[-4:]))
        self.assertEqual((found.model_extra, made.model_extra), ({}, {}))
        changed = self.webhooks.update(made.id, name="New", event_types=["*"])
        self.assertEqual((changed.name, changed.event_types, changed.url), ("New", ["*"], made.url))
        gone = self.webhooks.delete(made.id)
        self.assertEqual((gone.id, gone.deleted), (made.id, True))
        with self.assertRaises(openai.NotFoundError):
            self.webhooks.retrieve(made.id)

    def test_lists_page_by_themselves(self) -> None:
        made = [self.create("*", name=str(number)).id for number in range(5)]
        self.assertEqual([one.id for one in self.webhooks.list(limit=2)][:5], made[::-1])
        self.assertEqual([one.id for one in self.webhooks.list(limit=2, after=made[3]).data], made[2:0:-1])

    def test_a_test_of_each_type_of_event(self) -> None:
        made = self.create("file.created")
        types = self.webhooks.event_types.list().data
        self.assertIn("thread.run.completed", types)
        for event_type in types:
            result = self.webhooks.test(made.id, event_type=event_type)
            self.assertEqual((result.webhook_endpoint_id, result.event_type), (made.id, event_type))
            self.assertEqual((result.status_code, result.success), (204, True))
            event = self.receive(made.signing_secret)
            self.assertEqual((event.type, event.object), (event_type, "event"))
            # A spend limit has no id: it is its project's.
            self.assertTrue(event.data.id or event.data.project_id)

    def test_a_test_that_fails(self) -> None:
        made = self.create("file.created")
        self.receiver.status = 500
        self.assertEqual(self.webhooks.test(made.id, event_type="file.created").status_code, 500)
        with self.assertRaises(openai.BadRequestError) as wrong:
            self.webhooks.test(made.id, event_type="batch.completed")
        self.assertEqual(wrong.exception.param, "event_type")

    def test_events_of_a_run_and_a_new_secret(self) -> None:
        made = self.create("thread.run.completed")
        threads = self.client.beta.threads
        tutor = self.client.beta.assistants.create(model=MODEL).id
        run = threads.create_and_run_poll(assistant_id=tutor, thread={"messages": asked("x = 1")})
        event = self.receive(made.signing_secret)
        self.assertEqual((event.type, event.data.id), ("thread.run.completed", run.id))
        both = self.webhooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=True)
        self.webhooks.test(made.id, event_type="file.created")
        headers, body = self.receiver.received.get(timeout=PATIENCE)
        for secret in (made.signing_secret, both.signing_secret):
            self.webhooks.verify_signature(body, headers, secret=secret)
        new = self.webhooks.rotate_secret(made.id).signing_secret
        self.webhooks.test(made.id, event_type="file.created")
        headers, body = self.receiver.received.get(timeout=PATIENCE)
        self.assertEqual(self.webhooks.unwrap(body, headers, secret=new).type, "file.created")
        for secret in (made.signing_secret, both.signing_secret):
            with self.assertRaises(openai.InvalidWebhookSignatureError):
                self.webhooks.unwrap(body, headers, secret=secret)


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    """The same calls on the asynchronous client."""

    async def test_an_endpoint(self) -> None:
        receiver = start_receiver(self)
        async with AsyncOpenAI(**OPTIONS) as client:
            webhooks: Any = client.webhooks
            made = await webhooks.create(name="Test", url=receiver.url, event_types=["*"])
            self.assertEqual((await webhooks.update(made.id, name="New")).name, "New")
            self.assertIn("New", [one.name async for one in webhooks.list()])
            self.assertEqual((await webhooks.test(made.id, event_type="file.deleted")).status_code, 204)
            headers, body = receiver.received.get(timeout=PATIENCE)
            self.assertEqual(webhooks.unwrap(body, headers, secret=made.signing_secret).type, "file.deleted")
            self.assertTrue((await webhooks.delete(made.id)).deleted)
