"""The daemon's own log for a terminal, for the journal, or as JSON lines. Never a source."""

import logging
import os
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

Format = Literal["auto", "console", "json", "journal"]

_LEVELS = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def configure(level: str, form: Format, stream: TextIO = sys.stderr) -> None:
    """Set up structlog for the process. level: debug, info, warning or error."""
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it logs every batch of changes
    if form == "auto":
        form = "journal" if "JOURNAL_STREAM" in os.environ else "console"
    processors: list[structlog.typing.Processor] = [structlog.processors.add_log_level]
    match form:
        case "json":
            processors += [
                structlog.processors.TimeStamper("iso"),
                structlog.processors.dict_tracebacks,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ]
        case "journal":
            processors += [structlog.processors.format_exc_info, _journal_line]
        case _:
            processors += [
                structlog.processors.TimeStamper("%H:%M:%S", utc=False),
                structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0),
            ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def _journal_line(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Prefix each line with its syslog priority, which journald strips: sd-daemon(3)."""
    priority = _LEVELS[event.pop("level")]
    text = event.pop("event")
    exception = event.pop("exception", "")
    fields = "".join(f" {name}={value}" for name, value in event.items())
    message = f"{text}{fields}" + (f"\n{exception}" if exception else "")
    return "\n".join(f"<{priority}>{line}" for line in message.splitlines())
