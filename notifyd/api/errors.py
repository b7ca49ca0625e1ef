"""The ways in which the local API says no."""

from http import HTTPStatus

from notifyd.model.errors import NotifydError, RefusedError, StoreUnavailableError
from notifyd.model.notifications import Json

_STATUS = {
    "not_found": HTTPStatus.NOT_FOUND,
    "forbidden": HTTPStatus.FORBIDDEN,
    "in_flight": HTTPStatus.CONFLICT,
    "finished": HTTPStatus.CONFLICT,
    "unknown_trigger": HTTPStatus.UNPROCESSABLE_ENTITY,
    "held": HTTPStatus.CONFLICT,
    "changed": HTTPStatus.CONFLICT,
    "no_room": HTTPStatus.SERVICE_UNAVAILABLE,
    "stopping": HTTPStatus.SERVICE_UNAVAILABLE,
    "store_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}


class ApiError(NotifydError):
    """An answer that is no success: `code` in snake_case for programs, a sentence for people."""

    def __init__(
        self, status: HTTPStatus, code: str, sentence: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.headers = headers

    @property
    def body(self) -> Json:
        return {"success": False, "error": str(self), "code": self.code}


def bad_request(sentence: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, "bad_request", sentence)


def wrong_field(name: str, reason: str, code: str = "wrong_field") -> ApiError:
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, code, ended(f"{name} {reason}"))


def ended(words: str) -> str:
    """End with a full stop what does not end by asking."""
    return words if words.endswith("?") else f"{words}."


def translated(error: NotifydError) -> ApiError:
    """Say in HTTP what the daemon refused; a code that is not known here is the field's fault."""
    if isinstance(error, ApiError):
        return error
    sentence = ended(str(error).rstrip("."))
    sentence = sentence[0].upper() + sentence[1:]
    if isinstance(error, RefusedError):
        status = _STATUS.get(error.code, HTTPStatus.UNPROCESSABLE_ENTITY)
        return ApiError(status, error.code, sentence)
    code = "store_unavailable" if isinstance(error, StoreUnavailableError) else "unavailable"
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, code, sentence)


def internal() -> ApiError:
    """Our own fault: it is in the log, and nothing of it is told to the client."""
    return ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "internal",
        "notifyd could not handle this request; its log says why.",
    )


def printable(text: str) -> str:
    """Shorten what a client said so that it can stand in an answer."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:64])
    return shown + "…" if len(text) > len(shown) else shown
