"""The store as one thing: a database, its queue, and the objects in it."""

from __future__ import annotations

from ..settings import Settings
from ..wire.retention import Retention
from .accounts import Accounts
from .agent_cycles import AgentCycles
from .agents import Agents
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
from .gpt_feedback import GptFeedbackRows, GptRuns
from .gpt_links import GptLinks
from .gpt_store import GptStore
from .gpts import Gpts, GptVersions
from .groups import Groups
from .idempotency import IdempotencyKeys
from .invites import Invites
from .limits import LimitRows, RateBuckets
from .loose_blobs import LooseBlobs
from .measures import Measures
from .notices import Notices
from .passing import PassingThreads
from .people import Members, People
from .queue import Queue
from .request_log import RequestRows
from .retention import RetentionRules
from .runs import Runs, Steps
from .search import ChunkSearch
from .secretbox import SecretBox
from .shares import Shares
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
        self.secrets = SecretBox(settings)
        self._hold_people(settings)
        self._hold_files(settings)
        self._hold_conversations(settings)
        self._hold_gpts(settings)
        self._hold_books(settings)
        self.idempotency = IdempotencyKeys(
            self.database, self.secrets, lease=settings.run_lease, keep=settings.idempotency_keep
        )
        self.transfers = Transfers(self.database, self.queue, most=settings.max_transfers)
        self.connections = Connections(self.database)
        self.webhook_endpoints = WebhookEndpoints(self.database)
        self.webhook_deliveries = WebhookDeliveries(self.database)

    def _hold_people(self, settings: Settings) -> None:
        """Who may do what, and what they did."""
        self.accounts = Accounts(self.database)
        self.audit = Audit(self.database, keep_days=settings.audit_log_keep_days)
        self.request_log = RequestRows(
            self.database, keep_days=settings.request_log_days, most=settings.request_log_max_rows
        )
        self.people, self.members = People(self.database), Members(self.database)
        self.groups = Groups(self.database)
        self.invites = Invites(self.database)
        self.browser_sessions = BrowserSessions(
            self.database, idle=settings.session_idle, most=settings.session_lifetime
        )
        self.sign_in_attempts = SignInAttempts(self.database, window=settings.sign_in_window)

    def _hold_files(self, settings: Settings) -> None:
        """Files, and what is found in them."""
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
        self.search = ChunkSearch(self.database)
        self.vector_index = VectorIndex(self.database, self.queue)
        self.generated_images = GeneratedImages(self.blobs, loose, self.secrets, keep=settings.image_url_expiry)

    def _hold_conversations(self, settings: Settings) -> None:
        """Assistants, agents and all that is said with them; needs the files."""
        self.assistants = Assistants(self.database)
        self.threads = Threads(self.database)
        self.messages = Messages(self.database, self.threads)
        self.runs = Runs(
            *(self.database, self.threads, self.queue), lease=settings.run_lease, most=settings.max_concurrent_runs
        )
        self.steps = Steps(self.database)
        self.agents = Agents(
            self.database,
            self.storage,
            lease=settings.run_lease,
            most_files=settings.agent_max_files,
            most_bytes=settings.agent_max_bytes,
        )
        self.agent_cycles = AgentCycles(self.database)
        self.shares = Shares(self.database, self.threads, self.secrets)
        self.chat_completions = ChatCompletions(
            self.database,
            keep_days=settings.stored_completions_keep_days,
            max_bytes=settings.max_stored_completion_bytes,
        )
        self.chat_completion_messages = StoredMessages(self.database)

    def _hold_gpts(self, settings: Settings) -> None:
        """What GPTs have beside their assistants."""
        self.gpts = Gpts(self.database, approval=settings.gpt_approval)
        self.gpt_versions, self.gpt_store = GptVersions(self.database), GptStore(self.database)
        self.gpt_feedback, self.gpt_runs = GptFeedbackRows(self.database), GptRuns(self.database)
        self.gpt_links, self.passing = GptLinks(self.database), PassingThreads(self.database)

    def _hold_books(self, settings: Settings) -> None:
        """What is used, what it may come to, and how long things are kept."""
        self.usage = UsageRecords(self.database)
        self.books, self.measures = Books(self.database), Measures(self.database)
        self.spend_limits = SpendLimits(self.database)
        self.rate_buckets, self.limit_rows = RateBuckets(self.database), LimitRows(self.database)
        self.erasures = Erasures(self.database, self.queue)
        self.retention = RetentionRules(
            self.database,
            Retention(
                project_id="",
                thread_idle_days=settings.retention_thread_idle_days,
                file_days=settings.retention_file_days,
                completion_days=settings.retention_completion_days,
                agent_days=settings.retention_agent_days,
            ),
        )

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
