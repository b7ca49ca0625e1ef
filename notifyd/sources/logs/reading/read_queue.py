"""The order in which open files are read, and until when renamed files stay open."""

from collections import OrderedDict

from notifyd.sources.logs.checkpoint import FileId


class ReadQueue:
    """Keys of open files: those scheduled to be read, and those that drain.

    A file drains while no configured path leads to it any more, for the sake of writers that
    still have it open. Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._scheduled: OrderedDict[FileId, None] = OrderedDict()
        self._drain_deadlines: dict[FileId, float] = {}

    def __bool__(self) -> bool:
        return bool(self._scheduled)

    def __len__(self) -> int:
        return len(self._scheduled)

    def __contains__(self, key: FileId) -> bool:
        return key in self._scheduled

    @property
    def next(self) -> FileId:
        """The file to read next. The queue must not be empty."""
        return next(iter(self._scheduled))

    def schedule(self, key: FileId) -> None:
        """Append a file, unless it is scheduled already."""
        self._scheduled[key] = None

    def schedule_first(self, key: FileId) -> None:
        """Schedule a file before all others."""
        self._scheduled[key] = None
        self._scheduled.move_to_end(key, last=False)

    def unschedule(self, key: FileId) -> None:
        self._scheduled.pop(key, None)

    def requeue(self, key: FileId) -> None:
        """Move a scheduled file behind all others."""
        self._scheduled.move_to_end(key)

    @property
    def draining(self) -> list[FileId]:
        """The files that drain, in the order in which they began to."""
        return list(self._drain_deadlines)

    @property
    def has_draining(self) -> bool:
        return bool(self._drain_deadlines)

    def is_draining(self, key: FileId) -> bool:
        return key in self._drain_deadlines

    def drain(self, key: FileId, deadline: float) -> None:
        """Keep a file open until a deadline, and read it before all others."""
        self._drain_deadlines[key] = deadline
        self.schedule_first(key)

    def stop_draining(self, key: FileId) -> None:
        self._drain_deadlines.pop(key, None)

    def schedule_draining(self) -> None:
        """Schedule all files that drain."""
        self._scheduled.update(dict.fromkeys(self._drain_deadlines))

    def drained(self, now: float, most: int) -> list[FileId]:
        """List the files that need not drain any longer.

        That is those past their deadline, and the oldest ones if more than `most` drain. A
        scheduled file is read first.
        """
        excess = len(self._drain_deadlines) - most
        return [
            key
            for number, (key, deadline) in enumerate(self._drain_deadlines.items())
            if key not in self._scheduled and (deadline <= now or number < excess)
        ]

    def remove(self, key: FileId) -> None:
        """Forget a file that is closed."""
        self._scheduled.pop(key, None)
        self._drain_deadlines.pop(key, None)
