"""Errors that a client may see, each with its HTTP status and the official body.

The official shape is ``{"error": {"message", "type", "param", "code"}}``. A message says what is wrong and,
where the caller can mend it, what to do. Anything raised that is not an `ApiError` is a defect of ours.
"""

from __future__ import annotations


class ApiError(Exception):
    """An error that is answered to the client in the official shape.

    Attributes:
        status: HTTP status code.
        type: the official error class, such as ``invalid_request_error``.
        param: the request field at fault, in the API's dotted notation, if one is.
        code: a machine-readable reason, if there is one.
        retry_after: seconds after which trying again makes sense, sent as ``retry-after``.
    """

    status = 400
    type = "invalid_request_error"

    def __init__(
        self, message: str, *, param: str | None = None, code: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.retry_after = retry_after

    def body(self) -> dict[str, dict[str, str | None]]:
        """The official error object."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class InvalidRequest(ApiError):
    """400: the request is malformed, or does not fit the state of what it names."""


class AuthenticationFailed(ApiError):
    """401: no key, or one that is not valid."""

    status = 401


class Forbidden(ApiError):
    """403: the caller may not do this."""

    status = 403


class NotFound(ApiError):
    """404: there is no such object in the caller's project."""

    status = 404


class MethodNotAllowed(ApiError):
    """405: the address exists, but not for this method."""

    status = 405


class Conflict(ApiError):
    """409: the same request is being worked on; the SDKs try again by themselves."""

    status = 409


class TooLarge(ApiError):
    """413: the body is larger than the limit."""

    status = 413


class RateLimited(ApiError):
    """429: the project asks for more in a minute than it may.

    Attributes:
        type: what there is too much of: ``requests`` or ``tokens``.
        retry_after: seconds until there is room; None: the request would never fit.
    """

    status = 429

    def __init__(self, message: str, *, type: str, retry_after: float | None) -> None:
        super().__init__(message, code="rate_limit_exceeded", retry_after=retry_after)
        self.type = type


class InsufficientQuota(RateLimited):
    """429: the project has reached its spend limit; trying again does not help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, type="insufficient_quota", retry_after=None)
        self.code = "insufficient_quota"


class ServerFault(ApiError):
    """500: a defect of ours, told without its insides."""

    status = 500
    type = "server_error"


class Unavailable(ApiError):
    """503: something that the answer needs is away for now; trying again helps."""

    status = 503
    type = "server_error"

    def __init__(
        self, message: str, *, param: str | None = None, code: str | None = None, retry_after: float | None = 1
    ) -> None:
        super().__init__(message, param=param, code=code, retry_after=retry_after)


class ModelNotFound(NotFound):
    """404: no model of this name is configured."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The model `{name}` does not exist. GET /v1/models lists the ones that do; "
            "`retinue models add` or retinue.toml adds one.",
            param="model",
            code="model_not_found",
        )


class ModelError(ApiError):
    """A model's backend refused, broke or answered nonsense: with the backend's own status where it gave one, else 502.

    Attributes:
        retriable: whether the same request may succeed on a later try.
        run_code: the `last_error.code` a run that meets it ends with: ``server_error``,
            ``rate_limit_exceeded`` or ``invalid_prompt``.
    """

    status = 502
    type = "server_error"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retriable: bool = False,
        run_code: str = "server_error",
        type: str | None = None,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, param=param, code=code, retry_after=retry_after)
        self.retriable = retriable
        self.run_code = run_code
        if status is not None:
            self.status = status
            self.type = type or ("invalid_request_error" if status < 500 else "server_error")


class ContextOverflow(ModelError):
    """400: the prompt does not fit into the model's context."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message, status=400, run_code="invalid_prompt", param="messages", code="context_length_exceeded"
        )


class ModelBusy(ModelError):
    """503: more calls wait for the model than may, or one has waited too long."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=503, retriable=True, code="model_busy", retry_after=1)
