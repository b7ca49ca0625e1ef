"""Keys of the contract that this version does not support yet.

They are reported by name instead of being called unknown.
"""

from collections.abc import Iterator

from notifyd.config.errors import ConfigPath
from notifyd.model.notifications import Json

_KEYS_BY_TABLE = {"socket": frozenset({"compat"})}


def remove_unsupported(table: Json) -> Iterator[tuple[ConfigPath, str]]:
    """Remove unsupported entries from the merged table; yield the path and reason of each."""
    for name, keys in _KEYS_BY_TABLE.items():
        yield from _remove_keys((name,), table.get(name), keys)


def _remove_keys(
    path: ConfigPath, table: object, keys: frozenset[str]
) -> Iterator[tuple[ConfigPath, str]]:
    if isinstance(table, dict):
        for key in keys & table.keys():
            del table[key]
            yield (*path, key), _reason(f"`{key}`")


def _reason(what: str) -> str:
    return f"{what} is not supported by this version of notifyd yet; remove it"
