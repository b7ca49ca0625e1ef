"""Which entries of a reading go where: of a lane all, of the common one what counts by now."""

from collections.abc import Mapping

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.journal.entry import Entry
from notifyd.sources.journal.registry import CatchUp, JournalRegistry
from notifyd.sources.journal.units import Router, Wanted


class Subscriptions:
    """router: finds where the entries go that come next; another one once more of them count."""

    def __init__(
        self,
        triggers: Mapping[str, LogTriggerConfig],
        ledger: JournalRegistry,
        lane: CatchUp | None,
    ) -> None:
        self._triggers, self._ledger, self._lane = triggers, ledger, lane
        self.router = self._made()

    @property
    def units(self) -> list[str]:
        """Name what this reading gives, sooner or later."""
        return [unit for wanted in self._all().values() for unit in wanted.units]

    def opened(self, entries: list[Entry]) -> list[Entry]:
        """Take entries only up to one from which on more counts than before."""
        if self._lane is not None or not self._ledger.later:
            return entries
        for number, entry in enumerate(entries):
            fresh = list(self._ledger.reached(entry.place))
            if fresh and number:
                return entries[:number]
            for armed in fresh:
                self._ledger.open(armed)
                self.router = self._made()
        return entries

    def _made(self) -> Router:
        wanted = self._all() if self._lane is not None else self._ledger.wanted()
        return Router(self._triggers, wanted)

    def _all(self) -> dict[str, Wanted]:
        if self._lane is not None:
            return {self._lane.trigger: Wanted(self._lane.units, self._lane.without)}
        return {name: Wanted(tuple(trigger.journal)) for name, trigger in self._triggers.items()}
