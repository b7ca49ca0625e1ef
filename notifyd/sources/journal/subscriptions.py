"""Which triggers an entry goes to: in a catch-up reader its own, in the main reader the active."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.journal.entry import JournalEntry
from notifyd.sources.journal.registry import CatchUp, JournalRegistry
from notifyd.sources.journal.units import UnitFilter

_MAX_ROUTES: Final = 4096


class Route(NamedTuple):
    """The triggers of an entry: those that match entries, and those that match records."""

    entry_triggers: tuple[str, ...]
    record_triggers: tuple[str, ...]


class Router:
    """filters: by trigger. Routes are cached by the units of an entry."""

    def __init__(
        self, triggers: Mapping[str, LogTriggerConfig], filters: Mapping[str, UnitFilter]
    ) -> None:
        self._triggers, self._filters = triggers, dict(filters)
        self._routes: dict[tuple[str, ...], Route] = {}

    def route(self, units: tuple[str, ...]) -> Route:
        """Return where an entry about these units goes."""
        found = self._routes.get(units)
        if found is None:
            if len(self._routes) >= _MAX_ROUTES:
                self._routes.clear()
            found = self._routes[units] = self._make_route(units)
        return found

    def _make_route(self, units: tuple[str, ...]) -> Route:
        names = [name for name, units_of in self._filters.items() if units_of.accepts(units)]
        records = [name for name in names if self._triggers[name].multiline is not None]
        return Route(tuple(name for name in names if name not in records), tuple(records))


class Subscriptions:
    """The subscriptions of one reader. `router` is replaced when a pattern becomes active."""

    def __init__(
        self,
        triggers: Mapping[str, LogTriggerConfig],
        registry: JournalRegistry,
        catch_up: CatchUp | None,
    ) -> None:
        self._triggers, self._registry, self._catch_up = triggers, registry, catch_up
        self.router = self._make_router()

    @property
    def patterns(self) -> list[str]:
        """All unit patterns of this reader, active or not."""
        return [pattern for each in self._all_filters().values() for pattern in each.patterns]

    def activate(self, entries: list[JournalEntry]) -> list[JournalEntry]:
        """Activate the patterns that count from the first entry on.

        Returns the entries up to the next one that activates a pattern.
        """
        if self._catch_up is not None or not self._registry.inactive:
            return entries
        for number, entry in enumerate(entries):
            reached = list(self._registry.reached(entry.cursor))
            if reached and number:
                return entries[:number]
            for pattern in reached:
                self._registry.activate(pattern)
                self.router = self._make_router()
        return entries

    def _make_router(self) -> Router:
        is_main = self._catch_up is None
        filters = self._registry.active_filters() if is_main else self._all_filters()
        return Router(self._triggers, filters)

    def _all_filters(self) -> dict[str, UnitFilter]:
        if self._catch_up is not None:
            return {self._catch_up.trigger: self._catch_up.unit_filter}
        return {
            name: UnitFilter(tuple(trigger.journal)) for name, trigger in self._triggers.items()
        }
