"""What journalctl gives to a reading: first all that there is and then, if it follows, what comes.

To follow alone is not enough: journalctl then shows nothing of earlier boots.
"""

from collections.abc import Sequence
from typing import Final

from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.entry import Entry, Reader
from notifyd.sources.journal.export import Parser
from notifyd.sources.journal.identity import OwnUnit
from notifyd.sources.journal.journalctl import Journalctl

_STALLED: Final = "journalctl was ended, because nothing could be stored for too long"


class EntryStream:
    """place: behind which to begin. wanted: journalctl's own matches. most: bytes of a message.

    over: why nothing comes any more, empty if all was read; None while it goes on.
    """

    def __init__(
        self,
        command: Sequence[str],
        place: Cursor,
        wanted: Sequence[str],
        *,
        follow: bool,
        most: int,
        identity: OwnUnit,
    ) -> None:
        self._command, self.wanted, self._follow = command, wanted, follow
        self._parser, self._reader = Parser(most), Reader(identity)
        self._latest = place
        self.following = False
        self.over: str | None = None
        self._stalled = False
        self._child = self._asked()

    def _asked(self) -> Journalctl:
        self._first = True
        return Journalctl(self._command, self._latest, self.wanted, follow=self.following)

    @property
    def descriptor(self) -> int:
        """What can be read when there is something to take."""
        return self._child.descriptor

    def take(self) -> list[Entry] | None:
        """Take in what was written; None if there is nothing at the moment."""
        chunk = self._child.read()
        if chunk is None:
            return self._ended()
        if not chunk:
            return None
        entries = []
        for fields in self._parser.feed(chunk):
            entry = self._reader.entry(fields)
            if entry is not None and not self._known(entry):
                entries.append(entry)
                self._latest = entry.place
        return entries

    def _known(self, entry: Entry) -> bool:
        """Whether it is the very entry behind which to begin: journalctl gives that as well."""
        first, self._first = self._first, False
        return first and entry.place.same(self._latest)

    def _ended(self) -> list[Entry] | None:
        over = _STALLED if self._stalled else self._child.ended()
        if over or self.following or not self._follow:
            self.over = over
            return None
        self._child.close()
        self.following = True
        self._child = self._asked()
        return []

    def give_up(self) -> None:
        """End journalctl because nothing can be committed; from another thread."""
        self._stalled = True
        self._child.kill()

    def kill(self) -> None:
        """End journalctl, because nothing more is wanted of it."""
        self._child.kill()

    def close(self) -> None:
        self._child.close()
