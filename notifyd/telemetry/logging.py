"""The daemon's own log for a terminal, for the journal, or as JSON lines. Never a source."""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from notifyd.telemetry.journal import is_journal, write_entry

Format = Literal["auto", "console", "json", "journal"]

_LEVELS = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def configure(level: str, form: Format, stream: TextIO = sys.stderr) -> None:
    """Set up structlog for the process. level: debug, info, warning or error.

    For the journal, an entry has fields if the stream leads there, else each line a priority.
    """
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it logs every batch of changes
    leads_to_journal = is_journal(stream, os.environ)
    if form == "auto":
        form = "journal" if leads_to_journal else "console"
    processors: list[structlog.typing.Processor] = [structlog.processors.add_log_level]
    match form:
        case "json":
            processors += [
                structlog.processors.TimeStamper("iso"),
                structlog.processors.dict_tracebacks,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ]
        case "journal":
            render = _write_journal_entry if leads_to_journal else _journal_lines
            processors += [structlog.processors.format_exc_info, render]
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


def _write_journal_entry(logger: WrappedLogger, name: str, event: EventDict) -> str:
    """Write an entry with fields to the journal; if that fails, return lines for the stream."""
    fields = _fields(event)
    if write_entry(_journal_message(event, fields), _LEVELS[event["level"]], fields):
        raise structlog.DropEvent
    return _journal_lines(logger, name, event)


def _journal_lines(_: WrappedLogger, __: str, event: EventDict) -> str:
    """Prefix each line with its syslog priority, which journald strips: sd-daemon(3)."""
    fields = _fields(event)
    message = _journal_message(event, fields)
    return "\n".join(f"<{_LEVELS[event['level']]}>{line}" for line in message.splitlines())


def _journal_message(event: EventDict, fields: Mapping[str, object]) -> str:
    values = "".join(f" {name}={value}" for name, value in fields.items())
    exception = event.get("exception", "")
    return f"{event['event']}{values}" + (f"\n{exception}" if exception else "")


def _fields(event: EventDict) -> Mapping[str, object]:
    return {key: event[key] for key in event if key not in ("level", "event", "exception")}
