"""The store as one thing: a database, its queue, and the objects in it."""

from __future__ import annotations

from ..settings import Settings
from ..wire.retention import Retention
from .accounts import Accounts
from .audit import Audit
from .blobs import Blobs
from .books import Books
from .browser_sessions import BrowserSessions, SignInAttempts
from .chat_completions import ChatCompletions, StoredMessages
from .chunks import Chunks
from .connections import Connections
from .conversations import Assistants, Messages, Threads
from .database import Database
from .erasures import Erasures
from .files import Files
from .generated_images import GeneratedImages
from .idempotency import IdempotencyKeys
from .invites import Invites
from .limits import LimitRows, RateBuckets
from .loose_blobs import LooseBlobs
from .notices import Notices
from .people import Members, People
from .queue import Queue
from .retention import RetentionRules
from .runs import Runs, Steps
from .search import ChunkSearch
from .secretbox import SecretBox
from .spending import SpendLimits
from .storage import Storage
from .transfer import Transfers
from .uploads import Uploads
from .usage import UsageRecords
from .vector_index import VectorIndex
from .vector_stores import FileBatches, VectorStoreFiles, VectorStores
from .webhooks import WebhookDeliveries, WebhookEndpoints


class Store:
    """Everything that Retinue remembers."""

    def __init__(self, conninfo: str, settings: Settings) -> None:
        """Describe the store; nothing is opened yet. `conninfo` is a psycopg connection string."""
        self.database = Database(conninfo, connections=settings.database_connections, timeout=settings.database_timeout)
        self.queue = Queue(conninfo)
        self.notices = Notices(self.database)
        self.accounts = Accounts(self.database)
        self.audit = Audit(self.database, keep_days=settings.audit_log_keep_days)
        self.people, self.members = People(self.database), Members(self.database)
        self.invites = Invites(self.database)
        self.browser_sessions = BrowserSessions(
            self.database, idle=settings.session_idle, most=settings.session_lifetime
        )
        self.sign_in_attempts = SignInAttempts(self.database, window=settings.sign_in_window)
        self.assistants = Assistants(self.database)
        self.threads = Threads(self.database)
        self.messages = Messages(self.database, self.threads)
        self.runs = Runs(
            *(self.database, self.threads, self.queue), lease=settings.run_lease, most=settings.max_concurrent_runs
        )
        self.steps = Steps(self.database)
        self.blobs = Blobs(settings.data / "blobs", settings.blob_store)
        loose = LooseBlobs(self.database, self.blobs)
        self.storage = Storage(self.database, most=settings.max_storage_bytes)
        self.files = Files(self.database, loose, self.storage, upload_timeout=settings.upload_timeout)
        self.uploads = Uploads(self.database, self.blobs, loose, self.files, upload_timeout=settings.upload_timeout)
        self.vector_stores = VectorStores(
            self.database, self.queue, self.storage, max_files=settings.max_vector_store_files
        )
        self.vector_store_files = VectorStoreFiles(self.database)
        self.file_batches = FileBatches(self.database)
        self.chunks = Chunks(self.database)
        self.erasures = Erasures(self.database, self.queue)
        self.retention = RetentionRules(
            self.database,
            Retention(
                project_id="",
                thread_idle_days=settings.retention_thread_idle_days,
                file_days=settings.retention_file_days,
                completion_days=settings.retention_completion_days,
            ),
        )
        self.search = ChunkSearch(self.database)
        self.vector_index = VectorIndex(self.database, self.queue)
        self.transfers = Transfers(self.database, self.queue, most=settings.max_transfers)
        self.secrets = SecretBox(settings)
        self.idempotency = IdempotencyKeys(
            self.database, self.secrets, lease=settings.run_lease, keep=settings.idempotency_keep
        )
        self.chat_completions = ChatCompletions(
            self.database,
            keep_days=settings.stored_completions_keep_days,
            max_bytes=settings.max_stored_completion_bytes,
        )
        self.chat_completion_messages = StoredMessages(self.database)
        self.usage = UsageRecords(self.database)
        self.books = Books(self.database)
        self.spend_limits = SpendLimits(self.database)
        self.rate_buckets, self.limit_rows = RateBuckets(self.database), LimitRows(self.database)
        self.generated_images = GeneratedImages(self.blobs, loose, self.secrets, keep=settings.image_url_expiry)
        self.connections = Connections(self.database)
        self.webhook_endpoints = WebhookEndpoints(self.database)
        self.webhook_deliveries = WebhookDeliveries(self.database)

    async def open(self) -> None:
        """Open the connections. The database must have been migrated (`migrate.migrate`)."""
        await self.database.open()
        await self.queue.open()
        self.notices.open()

    async def close(self) -> None:
        """Close them."""
        await self.notices.close()
        await self.queue.close()
        await self.database.close()
        self.blobs.close()
