"""The log of a database that cannot be used: one line when that begins, one when it ends."""

import structlog

_log = structlog.get_logger()


class AvailabilityReporter:
    def __init__(self) -> None:
        self._is_available = True

    def report_failure(self, error: Exception) -> None:
        if self._is_available:
            self._is_available = False
            _log.error("nothing can be stored", reason=str(error))

    def report_success(self) -> None:
        if not self._is_available:
            self._is_available = True
            _log.info("the database can be used again")
