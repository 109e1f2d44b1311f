"""Connections: what assistants reach outside by an OpenAPI document or the Model Context Protocol. An extension."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SecretStr, StringConstraints, model_validator

from .common import Metadata, WireObject, WireRequest, is_none

_Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
_HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")]
_Secret = Annotated[SecretStr, Field(min_length=1, max_length=8192)]
#: When a person is asked before a call: `auto`, where it may change something; `always`; `never`.
ConsentRule = Literal["auto", "always", "never"]


class NoAuth(WireRequest):
    """Nothing to authenticate with."""

    type: Literal["none"] = "none"


class ApiKeyAuth(WireRequest):
    """A key in a header, in the query, or in a cookie."""

    model_config = ConfigDict(extra="forbid", strict=True, serialize_by_alias=True)

    type: Literal["api_key"]
    #: Where it is sent.
    location: Literal["header", "query", "cookie"] = Field(default="header", alias="in")
    #: Of the header, the parameter or the cookie.
    name: _HeaderName = "Authorization"
    #: What stands before the key, such as `Bearer`.
    prefix: Annotated[str, StringConstraints(max_length=64)] | None = Field(default=None, exclude_if=is_none)
    key: _Secret | None = Field(default=None, exclude=True)


class BasicAuth(WireRequest):
    """User name and password."""

    type: Literal["basic"]
    username: _Name
    password: _Secret | None = Field(default=None, exclude=True)


class OAuth(WireRequest):
    """OAuth 2.0: of each person by authorisation code with PKCE, or of the connection by its own credentials."""

    type: Literal["oauth"]
    flow: Literal["authorization_code", "client_credentials"] = "authorization_code"
    client_id: _Name
    client_secret: _Secret | None = Field(default=None, exclude=True)
    #: Where a person signs in; only for an authorisation code.
    authorization_url: Url | None = Field(default=None, exclude_if=is_none)
    token_url: Url
    scope: Annotated[str, StringConstraints(max_length=2048)] = ""
    #: How the client secret is sent to `token_url`.
    token_endpoint_auth_method: Literal["client_secret_post", "client_secret_basic"] = "client_secret_post"  # noqa: S105 (a name)

    @model_validator(mode="after")
    def _complete(self) -> OAuth:
        if self.flow == "authorization_code" and not self.authorization_url:
            raise ValueError("the flow authorization_code needs an authorization_url")
        return self


Auth = Annotated[NoAuth | ApiKeyAuth | BasicAuth | OAuth, Field(discriminator="type")]


class ConnectionTool(WireObject):
    """One operation or tool of a connection."""

    name: str
    description: str
    #: Of an OpenAPI operation, such as `GET /pets`.
    operation: str | None = Field(default=None, exclude_if=is_none)
    #: Whether a person is asked before it is called.
    needs_consent: bool
    #: JSON schema of its arguments.
    parameters: dict[str, Any]


class Connection(WireObject):
    """What assistants reach outside. Its secrets are never shown."""

    id: str
    object: Literal["connection"] = "connection"
    created_at: int
    type: Literal["action", "mcp"]
    name: str
    description: str | None = None
    #: Where requests go.
    url: str
    #: Where the OpenAPI document came from, if from an address.
    document_url: str | None = None
    auth: Auth = Field(default_factory=NoAuth)
    #: Names of headers that are sent with every request; their values are secret.
    headers: list[str] = Field(default_factory=list[str])
    consent: ConsentRule = "auto"
    privacy_policy_url: str | None = None
    metadata: Metadata = Field(default_factory=dict[str, str])


class ConnectionCreate(WireRequest):
    """Body of `POST /v1/connections`."""

    type: Literal["action", "mcp"]
    name: _Name | None = None
    description: Annotated[str, StringConstraints(max_length=2048)] | None = None
    #: Of an action: the OpenAPI document, as an object or as JSON or YAML text.
    document: str | dict[str, Any] | None = None
    #: Of an action: where the document is fetched from instead.
    document_url: Url | None = None
    #: Of an action: where requests go, if not to the document's first server. Of MCP: the server's endpoint.
    url: Url | None = None
    auth: Auth = Field(default_factory=NoAuth)
    headers: Annotated[dict[_HeaderName, _Secret], Field(max_length=32)] = Field(default_factory=dict[str, SecretStr])
    consent: ConsentRule = "auto"
    privacy_policy_url: Url | None = None
    metadata: Metadata = Field(default_factory=dict[str, str])


class ConnectionModify(WireRequest):
    """Body of `POST /v1/connections/{id}`: what is not sent stays as it is; new `auth` brings its secrets along."""

    name: _Name | None = None
    description: Annotated[str, StringConstraints(max_length=2048)] | None = None
    document: str | dict[str, Any] | None = None
    document_url: Url | None = None
    url: Url | None = None
    auth: Auth | None = None
    headers: Annotated[dict[_HeaderName, _Secret], Field(max_length=32)] | None = None
    consent: ConsentRule | None = None
    privacy_policy_url: Url | None = None
    metadata: Metadata | None = None


class ToolCallCreate(WireRequest):
    """Body of `POST /v1/connections/{id}/tools/{name}/call`."""

    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])


class ToolCalled(WireObject):
    """What came of a call that somebody made to try it."""

    object: Literal["connection.tool.call"] = "connection.tool.call"
    connection_id: str
    name: str
    #: What a model would read of the answer, shortened, without secrets.
    output: str
    #: Whether it did not work.
    failed: bool
    #: Ids of files that came.
    files: list[str]


class SignInCreate(WireRequest):
    """Body of `POST /v1/connections/{id}/sign_in`."""

    #: Who signs in: what a run's `metadata.user` says; "" is everybody whose run says nothing.
    user: Annotated[str, StringConstraints(max_length=512)] = ""


class SignIn(WireObject):
    """Where a person signs in for a connection."""

    object: Literal["connection.sign_in"] = "connection.sign_in"
    connection_id: str
    #: To be opened in the person's browser.
    authorize_url: str
    #: When it is of no more use, in seconds since 1970.
    expires_at: int


class RunConsent(WireObject):
    """A call of a run that waits for a person."""

    object: Literal["thread.run.consent"] = "thread.run.consent"
    #: What `submit_tool_outputs` names it by.
    tool_call_id: str
    #: The function that the model called, and with what: JSON text.
    name: str
    arguments: str
    #: Why the person is asked.
    reason: str
    #: Where the person has to sign in first, if so.
    authorize_url: str | None = None
