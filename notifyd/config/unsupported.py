"""What the configuration will know but this version does not: refused by name, never ignored."""

from collections.abc import Iterator

from notifyd.config.errors import ConfigPath
from notifyd.model.notifications import Json

_TABLES = frozenset({"listen"})
_BY_TABLE = {"socket": frozenset({"compat"})}
_BY_TYPE = {
    "log": frozenset[str](),
    "file": frozenset({"gitignore", "stale"}),
    "process": frozenset[str](),
}
TYPES = frozenset({"unit", "heartbeat", "oblien"})


def not_yet(what: str) -> str:
    return f"{what} is not available in this version of notifyd yet; remove it"


def withdraw(table: Json) -> Iterator[tuple[ConfigPath, str]]:
    """Take out of the merged table what comes later, and say of each where it stood and why."""
    for key in _TABLES & table.keys():
        del table[key]
        yield (key,), not_yet(f"[{key}]")
    for name, keys in _BY_TABLE.items():
        yield from _withdraw_keys((name,), table.get(name), keys)
    triggers = table.get("triggers")
    if not isinstance(triggers, dict):
        return
    for name, trigger in list(triggers.items()):
        kind = trigger.get("type") if isinstance(trigger, dict) else None
        if isinstance(kind, str) and kind in TYPES:
            del triggers[name]
            yield ("triggers", name, "type"), not_yet(f'type = "{kind}"')
        else:
            own = _BY_TYPE.get(str(kind), frozenset().union(*_BY_TYPE.values()))
            yield from _withdraw_keys(("triggers", name), trigger, own)


def _withdraw_keys(
    place: ConfigPath, table: object, keys: frozenset[str]
) -> Iterator[tuple[ConfigPath, str]]:
    if isinstance(table, dict):
        for key in keys & table.keys():
            del table[key]
            yield (*place, key), not_yet(key)
