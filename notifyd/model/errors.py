"""Errors with a message for people: one sentence that says what, where and how to fix it."""


class NotifydError(Exception):
    """An error that is shown to a person by its message alone, without a traceback."""


class ConfigError(NotifydError):
    """The configuration is invalid. problems: one line per mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TokenError(NotifydError):
    """There is no usable send token."""


class NoTokenError(TokenError):
    """There is no send token yet. The daemon runs and keeps notifications until there is one."""


class InUseError(NotifydError):
    """Another daemon holds the state directory or the socket."""


class StoreError(NotifydError):
    """The store is unusable: too new, not readable, or not a database."""


class StoreUnavailableError(NotifydError):
    """A commit failed, and may succeed later: the disk is full, read-only or locked."""


class ShuttingDownError(StoreUnavailableError):
    """Nothing is committed any more."""


class ConcurrentUpdateError(NotifydError):
    """A commit relied on a notification that has changed. attempts: what the commit expected."""

    def __init__(self, notification_id: str, attempts: int) -> None:
        super().__init__(f"the notification {notification_id} has changed; look at it again")
        self.notification_id = notification_id
        self.attempts = attempts


class DatabaseDamagedError(StoreUnavailableError):
    """The database is damaged. It must be recovered before anything can be stored."""


class NotificationMissingError(NotifydError):
    """A notification is no longer in the store."""


class RequestRefusedError(NotifydError):
    """A request to the fold was refused. code: the reason in snake_case."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SourceError(NotifydError):
    """A source cannot continue, and is restarted with backoff."""


class DaemonUnreachableError(NotifydError):
    """No daemon answers on the socket."""


class DaemonAnswerError(NotifydError):
    """The daemon answered with an error. status: of HTTP; answer: the JSON object it sent."""

    def __init__(self, status: int, answer: dict[str, object]) -> None:
        super().__init__(str(answer.get("error") or f"The daemon answered {status}."))
        self.status = status
        self.answer = answer
