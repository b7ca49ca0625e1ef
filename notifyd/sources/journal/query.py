"""Single questions to `journalctl`: where the journal ends, and what it has at a cursor."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from threading import Timer
from typing import Final

from notifyd.model.errors import SourceError
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.entry import OUTPUT_FIELDS
from notifyd.sources.journal.export import EntryFields, ExportParser
from notifyd.sources.journal.journalctl import describe_exit, require_pipe, start_journalctl

_CURSOR_ONLY: Final = "--output-fields=_BOOT_ID"
"""Asks for one short field, since cursor and timestamps always come."""
_FIRST_ENTRY_TIMEOUT: Final = 30.0
"""Seconds until the first entry of an answer must have arrived."""
_CHUNK: Final = 256 << 10
_MAX_TEXT: Final = 4096
"""Bytes of its error output, and of each field of an answer without messages."""
_NO_SUCH_BOOT: Final = "specified boot"


class JournalQuery:
    """One query at a time. Blocking; each raises SourceError if it has no answer."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._is_cancelled = False

    def last_entry(self) -> EntryFields | None:
        """Return the journal's last entry, without its message."""
        return next(self._run(_CURSOR_ONLY, "--lines=1"), None)

    def entry_at(self, cursor: Cursor) -> EntryFields | None:
        """Return the entry at a cursor or, if it is missing, the next one that exists."""
        return next(self._run(_CURSOR_ONLY, f"--cursor={cursor.text}"), None)

    def last_entry_of_previous_boot(self) -> EntryFields | None:
        """Return the last entry before this boot; None if the journal has none."""
        try:
            return next(self._run(_CURSOR_ONLY, "--boot=-1", "--lines=1"), None)
        except SourceError as error:
            if _NO_SUCH_BOOT in str(error):
                return None
            raise

    def read_forward(self, cursor: Cursor, matches: Sequence[str]) -> Iterator[EntryFields]:
        """Yield entries from a cursor on, without messages; all if the cursor is the start."""
        start = (f"--cursor={cursor.text}",) if cursor.text else ()
        return self._run(_CURSOR_ONLY, *start, *matches)

    def read_backward(
        self, cursor: Cursor, matches: Sequence[str], max_message: int
    ) -> Iterator[EntryFields]:
        """Yield entries from a cursor towards the start. max_message: bytes kept of a message."""
        options = ("--reverse", f"--output-fields={OUTPUT_FIELDS}", f"--cursor={cursor.text}")
        return self._run(*options, *matches, max_value=max_message)

    def find_tail(self, cursor: Cursor, matches: Sequence[str]) -> Cursor | None:
        """Return the journal's end if no matching entry lies between a cursor and it.

        matches: as journalctl takes them; none for all entries. The end is looked up first, so an
        entry that is written meanwhile lies after it, or is found.
        """
        tail = Cursor.of_entry(self.last_entry())
        if tail is None:
            return None
        if tail.is_same_entry(cursor):
            return cursor
        if not tail.is_after(cursor):
            return None
        for fields in self.read_forward(cursor, matches):
            found = Cursor.of_entry(fields)
            if found is None or not found.is_same_entry(cursor):
                return None
        return tail

    def cancel(self) -> None:
        """End the current query and answer no more. May be called from another thread."""
        self._is_cancelled = True
        if (process := self._process) is not None:
            process.kill()

    def _run(self, *options: str, max_value: int = _MAX_TEXT) -> Iterator[EntryFields]:
        parser = ExportParser(max_value)
        is_late = False

        def give_up() -> None:
            nonlocal is_late
            is_late = True
            process.kill()

        process = start_journalctl(self._command, options)
        timer = Timer(_FIRST_ENTRY_TIMEOUT, give_up)
        with process:
            self._process = process
            timer.start()
            try:
                stdout, stderr = require_pipe(process.stdout), require_pipe(process.stderr)
                while not self._is_cancelled and (chunk := os.read(stdout.fileno(), _CHUNK)):
                    timer.cancel()
                    yield from parser.feed(chunk)
                if self._is_cancelled:
                    return
                if is_late:
                    raise SourceError(
                        f"journalctl did not answer within {_FIRST_ENTRY_TIMEOUT:.0f} s"
                    )
                if status := process.wait():
                    raise SourceError(describe_exit(status, os.read(stderr.fileno(), _MAX_TEXT)))
            finally:
                timer.cancel()
                self._process = None
                process.kill()
