"""Short questions to `journalctl`: where the journal ends, and what it has at some place."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from threading import Timer
from typing import Final

from notifyd.model.errors import SourceError
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.entry import FIELDS
from notifyd.sources.journal.export import Fields, Parser
from notifyd.sources.journal.journalctl import ended, plain, started

_NOTHING: Final = "--output-fields=_BOOT_ID"
"""Where an entry stands comes always."""
_PATIENCE: Final = 30.0
"""Seconds until the first entry of an answer must have come."""
_CHUNK: Final = 256 << 10
_SAID: Final = 4096
"""Bytes of its last words, and of each field of an answer without messages."""
_NO_SUCH_BOOT: Final = "specified boot"


class JournalQuery:
    """Asks one question at a time; each of them raises SourceError if it has no answer."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._abandoned = False

    def last(self) -> Fields | None:
        """Find the journal's last entry, without its message."""
        return next(self._asked(_NOTHING, "--lines=1"), None)

    def first(self, place: Cursor) -> Fields | None:
        """Find the entry at a place or, if there is none, the next that there is."""
        return next(self._asked(_NOTHING, f"--cursor={place.cursor}"), None)

    def before_boot(self) -> Fields | None:
        """Find the last entry of the boot before this one; None if the journal has none."""
        try:
            return next(self._asked(_NOTHING, "--boot=-1", "--lines=1"), None)
        except SourceError as error:
            if _NO_SUCH_BOOT in str(error):
                return None
            raise

    def onwards(self, place: Cursor, matches: Sequence[str]) -> Iterator[Fields]:
        """Read from an entry on, without messages; from the beginning if the place names none."""
        cursor = (f"--cursor={place.cursor}",) if place.cursor else ()
        return self._asked(_NOTHING, *cursor, *matches)

    def backwards(self, place: Cursor, matches: Sequence[str], most: int) -> Iterator[Fields]:
        """Read from an entry towards the beginning, at most so many bytes of each message."""
        words = ("--reverse", f"--output-fields={FIELDS}", f"--cursor={place.cursor}", *matches)
        return self._asked(*words, most=most)

    def abandon(self) -> None:
        """End the question that is being asked, and ask no more; from another thread."""
        self._abandoned = True
        if (process := self._process) is not None:
            process.kill()

    def _asked(self, *words: str, most: int = _SAID) -> Iterator[Fields]:
        parser = Parser(most)
        late = False

        def give_up() -> None:
            nonlocal late
            late = True
            process.kill()

        process = started(self._command, words)
        impatience = Timer(_PATIENCE, give_up)
        with process:
            self._process = process
            impatience.start()
            try:
                out, errors = plain(process.stdout), plain(process.stderr)
                while not self._abandoned and (chunk := os.read(out.fileno(), _CHUNK)):
                    impatience.cancel()
                    yield from parser.feed(chunk)
                if self._abandoned:
                    return
                if late:
                    raise SourceError(f"journalctl did not answer within {_PATIENCE:.0f} s")
                if status := process.wait():
                    raise SourceError(ended(status, os.read(errors.fileno(), _SAID)))
            finally:
                impatience.cancel()
                self._process = None
                process.kill()
