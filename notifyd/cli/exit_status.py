"""The exit statuses of `notifyd`, and which one each error has."""

from notifyd.model.errors import (
    ConfigError,
    DaemonAnswerError,
    DaemonUnreachableError,
    NotifydError,
    StoreError,
    StoreUnavailableError,
    TokenError,
)

FAILED = 1
USAGE = 2
UNREACHABLE = 69
TRY_LATER = 75
REFUSED = 77
CONFIG = 78
INTERRUPTED = 130
TERMINATED = 143

_BY_HTTP_STATUS = {401: REFUSED, 408: TRY_LATER, 422: USAGE, 429: TRY_LATER, 503: TRY_LATER}


class UsageError(NotifydError):
    """Invalid arguments on the command line."""


class OutputError(NotifydError):
    """Standard output cannot be written."""


def exit_status(error: NotifydError) -> int:
    """Return the exit status of an error."""
    if isinstance(error, (ConfigError, TokenError, StoreError)):
        return CONFIG
    if isinstance(error, UsageError):
        return USAGE
    if isinstance(error, DaemonUnreachableError):
        return UNREACHABLE
    if isinstance(error, StoreUnavailableError):
        return TRY_LATER
    if isinstance(error, DaemonAnswerError):
        return _BY_HTTP_STATUS.get(error.status, FAILED)
    return FAILED
