"""The state as named pieces of JSON, so that a commit writes what changed and nothing else."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

from notifyd.model import Now, Row
from notifyd.shaping.group import Group
from notifyd.shaping.state import Books, Decision, Held, Ledger, State
from notifyd.shaping.trail import Trace

_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    "group": TypeAdapter(Group),
    "digest": TypeAdapter(Held),
    "ledger": TypeAdapter(Ledger),
    "trail": TypeAdapter(list[Trace]),
    "books": TypeAdapter(Books),
}


@lru_cache(maxsize=10_000)
def group_key(trigger: str, values: tuple[str, ...]) -> str:
    return json.dumps([trigger, *values], ensure_ascii=False)


def pieces(decision: Decision, before: Books) -> dict[str, str | None]:
    """Tell what to write by name; None is to be deleted. before: the books as they are on disk."""
    written: dict[str, str | None] = {}
    for kind, changed in (
        ("group", decision.groups),
        ("digest", decision.digests),
        ("ledger", decision.ledgers),
        ("trail", decision.trails),
    ):
        for key, value in changed.items():
            written[f"{kind}:{key}"] = None if value is None else _text(kind, value)
    if decision.books != before:
        written["books:"] = _text("books", decision.books)
    return written


def _text(kind: str, value: object) -> str:
    return _ADAPTERS[kind].dump_json(value).decode()


def restored(stored: Mapping[str, str], rows: Iterable[Row], *, seed: str, now: Now) -> State:
    """Read the pieces back. seed: for the ids of a store that has none yet."""
    state = State(books=Books(seed=seed))
    for name, text in stored.items():
        kind, _, key = name.partition(":")
        value = _ADAPTERS[kind].validate_json(text)
        match kind:
            case "group":
                state.put_group(key, value)
            case "digest":
                state.put_digest(key, value)
            case "ledger":
                state.ledgers[key] = value
            case "trail":
                state.trails[key] = value
            case "books":
                # whoever waited for an order then is gone
                state.books = replace(value, gate=replace(value.gate, worker_free=False))
    for row in rows:
        state.put_row(row, now)
    return state
