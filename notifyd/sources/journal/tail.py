"""The journal's end, to which a place goes though nothing that is wanted came.

Else the place of a reading that hears nothing for longer than the journal keeps would be gone.
"""

from collections.abc import Sequence

from notifyd.sources.journal.cursor import Place
from notifyd.sources.journal.inquiry import Inquiry


class Tail:
    """wanted: what journalctl is asked for, as its own arguments; none for all entries."""

    def __init__(self, inquiry: Inquiry, wanted: Sequence[str]) -> None:
        self._inquiry, self._wanted = inquiry, wanted

    def beyond(self, place: Place) -> Place | None:
        """Find the journal's end, if nothing that is wanted lies between a place and it.

        The end is looked up first: so what is written while this asks is behind it, or is seen.
        SourceError if journalctl does not answer.
        """
        end = Place.of(self._inquiry.last())
        if end is None:
            return None
        if end.same(place):
            return place
        if not end.after(place):
            return None
        for fields in self._inquiry.onwards(place, self._wanted):
            found = Place.of(fields)
            if found is None or not found.same(place):
                return None
        return end
