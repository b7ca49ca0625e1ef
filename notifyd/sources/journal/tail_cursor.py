"""The journal's end, to which a place goes though nothing that is wanted came.

Else the place of a reading that hears nothing for longer than the journal keeps would be gone.
"""

from collections.abc import Sequence

from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.query import JournalQuery


def end_beyond(inquiry: JournalQuery, place: Cursor, wanted: Sequence[str]) -> Cursor | None:
    """Find the journal's end, if nothing that is wanted lies between a place and it.

    wanted: what journalctl is asked for, as its own arguments; none for all entries. The end is
    looked up first: so what is written while this asks is behind it, or is seen. SourceError if
    journalctl does not answer.
    """
    end = Cursor.of(inquiry.last())
    if end is None:
        return None
    if end.same(place):
        return place
    if not end.after(place):
        return None
    for fields in inquiry.onwards(place, wanted):
        found = Cursor.of(fields)
        if found is None or not found.same(place):
            return None
    return end
