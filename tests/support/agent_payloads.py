"""Reads tests/agents/*.payloads: payloads of agents' hooks, and what becomes of each.

A file begins with a sentence on its source and `= {…}`, the fields that all its reports have. A
case is a comment, the payload, and `-- reason` if nothing is reported, else two lines:
`-> EVENT {…}`, the report's event and its other fields, and `=> push: title` or
`=> no push: reason`, if it comes ten minutes after a prompt. A field of a case replaces that of
the file; null takes it away.
"""

import json
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "agents"


class Case(NamedTuple):
    """reason: why nothing is reported; empty if something is."""

    agent: str
    name: str
    payload: dict
    event: str
    body: dict
    reason: str
    push: str


def cases():
    return [case for file in sorted(FOLDER.glob("*.payloads")) for case in _read(file)]


def _read(file):
    _, common, *blocks = file.read_text().replace("\n= ", "\n\n= ", 1).split("\n\n")
    shared = json.loads(common.removeprefix("= "))
    for block in blocks:
        name, payload, outcome, *push = block.strip().split("\n")
        event, body, reason = "", {}, ""
        if outcome.startswith("-> "):
            event, _, fields = outcome.removeprefix("-> ").partition(" ")
            merged = shared | json.loads(fields)
            body = {key: value for key, value in merged.items() if value is not None}
        else:
            assert outcome.startswith("-- "), outcome
            reason = outcome.removeprefix("-- ")
        name = name.removeprefix("# ")
        yield Case(
            file.stem,
            name,
            json.loads(payload),
            event,
            body,
            reason,
            "".join(push).removeprefix("=> "),
        )
