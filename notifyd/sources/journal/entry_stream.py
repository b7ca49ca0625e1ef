"""The entries of one reader: first all that exist and then, if it follows, those that arrive.

`journalctl --follow` alone is not enough: it shows no entries of earlier boots.
"""

from collections.abc import Sequence
from typing import Final

from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.entry import EntryDecoder, JournalEntry
from notifyd.sources.journal.export import ExportParser
from notifyd.sources.journal.identity import OwnIdentity
from notifyd.sources.journal.journalctl import Journalctl

_ABORTED: Final = "journalctl was stopped, because nothing could be stored for too long"


class EntryStream:
    """cursor: where to begin, after its entry. matches: as journalctl takes them.

    max_message: in bytes. end_reason: why no more entries come, empty if all were read; None while
    they do.
    """

    def __init__(
        self,
        command: Sequence[str],
        cursor: Cursor,
        matches: Sequence[str],
        *,
        follow: bool,
        max_message: int,
        identity: OwnIdentity,
    ) -> None:
        self._command, self.matches, self._follow = command, matches, follow
        self._parser, self._decoder = ExportParser(max_message), EntryDecoder(identity)
        self._cursor = cursor
        self.is_following = False
        self.end_reason: str | None = None
        self._is_aborted = False
        self._is_first = True
        self._journalctl = self._start()

    def _start(self) -> Journalctl:
        self._is_first = True
        return Journalctl(self._command, self._cursor, self.matches, follow=self.is_following)

    @property
    def descriptor(self) -> int:
        """Readable when `read` has something to return."""
        return self._journalctl.descriptor

    def read(self) -> list[JournalEntry] | None:
        """Return the entries that have arrived; None if nothing has."""
        chunk = self._journalctl.read()
        if chunk is None:
            return self._on_end()
        if not chunk:
            return None
        entries = []
        for fields in self._parser.feed(chunk):
            entry = self._decoder.decode(fields)
            if entry is not None and not self._is_start(entry):
                entries.append(entry)
                self._cursor = entry.cursor
        return entries

    def _is_start(self, entry: JournalEntry) -> bool:
        """Return whether it is the entry after which to begin, which journalctl shows as well."""
        is_first, self._is_first = self._is_first, False
        return is_first and entry.cursor.is_same_entry(self._cursor)

    def _on_end(self) -> list[JournalEntry] | None:
        reason = _ABORTED if self._is_aborted else self._journalctl.wait()
        if reason or self.is_following or not self._follow:
            self.end_reason = reason
            return None
        self._journalctl.close()
        self.is_following = True
        self._journalctl = self._start()
        return []

    def abort(self) -> None:
        """End journalctl because nothing can be committed. May be called from another thread."""
        self._is_aborted = True
        self._journalctl.kill()

    def stop(self) -> None:
        """End journalctl because no more entries are wanted."""
        self._journalctl.kill()

    def close(self) -> None:
        self._journalctl.close()
