"""The ways a call of the platform can fail; each keeps what the platform said."""

from typing import Any, TypedDict, Unpack

from notifyd.model.errors import NotifydError


class AnswerFacts(TypedDict, total=False):
    """What an error keeps of the answer, as the platform sent it."""

    status: int | None
    code: str
    details: Any
    request_id: str


class PlatformError(NotifydError):
    """A call failed. The message is one sentence.

    status: of the answer, None where none came. code, details, request_id: as the platform sent
    them, empty or None where it did not.
    """

    def __init__(self, message: str, **facts: Unpack[AnswerFacts]) -> None:
        super().__init__(message)
        self.message = message
        self.status = facts.get("status")
        self.code = facts.get("code", "")
        self.details = facts.get("details")
        self.request_id = facts.get("request_id", "")


class PlatformUnreachableError(PlatformError):
    """No answer came: DNS, connection, TLS, proxy or a time limit."""


class UnsuccessfulError(PlatformError):
    """The platform answered 2xx, but with `success: false` or with something that is not JSON."""


class AuthenticationError(PlatformError):
    """401: the credentials or the token are wrong, expired or revoked."""


class PaymentRequiredError(PlatformError):
    """402: the account lacks payment or credits."""


class ForbiddenError(PlatformError):
    """403: the credentials do not permit this."""


class NotFoundError(PlatformError):
    """404: there is no such thing, or no such endpoint."""


class ConflictError(PlatformError):
    """409: it exists already, or changed meanwhile."""


class InvalidFieldError(PlatformError):
    """400 or 422: a field of the request is wrong; `details` may name it."""


class RateLimitedError(PlatformError):
    """429: too many requests. retry_after: seconds that the platform asks to wait, 0 if none."""

    def __init__(
        self, message: str, *, retry_after: float = 0.0, **facts: Unpack[AnswerFacts]
    ) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class ServerError(PlatformError):
    """5xx: the platform failed. retry_after: seconds that it asks to wait, 0 if none."""

    def __init__(
        self, message: str, *, retry_after: float = 0.0, **facts: Unpack[AnswerFacts]
    ) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


BY_STATUS: dict[int, type[PlatformError]] = {
    400: InvalidFieldError,
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: InvalidFieldError,
}
