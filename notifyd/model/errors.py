"""The ways notifyd can refuse: each message is one sentence that says what, where and the mend."""


class NotifydError(Exception):
    """Anything we tell a person without a traceback."""


class ConfigError(NotifydError):
    """The configuration cannot be used; `problems` holds one line per mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TokenError(NotifydError):
    """There is no usable send token."""


class NoTokenError(TokenError):
    """There is no send token yet: the daemon runs, keeps everything, and waits for one."""


class InUseError(NotifydError):
    """Another daemon holds the state directory or the socket."""


class StoreError(NotifydError):
    """The store cannot be used as it is (too new, not readable, not a database)."""


class StoreUnavailableError(NotifydError):
    """A commit failed for a reason that may pass: the disk is full, read-only or locked."""


class ConcurrentUpdateError(NotifydError):
    """A commit relied on a row as it no longer is: by its notification's id, and its attempts."""

    def __init__(self, notification_id: str, attempts: int) -> None:
        super().__init__(f"the notification {notification_id} changed meanwhile: look at it again")
        self.row = notification_id, attempts


class DamagedError(StoreUnavailableError):
    """The database is damaged: it has to be salvaged before anything can be stored."""


class MissingError(NotifydError):
    """A notification is not in the store any more."""


class RefusedError(NotifydError):
    """A request to the fold was refused: `code` is the snake_case name of the reason."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class SourceError(NotifydError):
    """A source cannot go on as it is; it is started again with backoff."""


class UnreachableError(NotifydError):
    """No daemon answers on the socket."""


class AnswerError(NotifydError):
    """The daemon answered, and said no: HTTP's status, and the JSON object that it sent."""

    def __init__(self, status: int, answer: dict[str, object]) -> None:
        super().__init__(str(answer.get("error") or f"The daemon answered {status}."))
        self.status = status
        self.answer = answer
