"""Stored values as released versions wrote them: one golden file for each kind."""

import json
from pathlib import Path

GOLDENS = Path(__file__).parents[1] / "stored"


def golden(name):
    """Read a golden file: the key on its first line, the value on its second."""
    key, value, _ = (GOLDENS / f"{name}.golden").read_text().split("\n")
    return key.replace("\\0", "\0"), value


def changed(value, **fields):
    """Write a stored JSON object with other fields."""
    return json.dumps(json.loads(value) | fields)


def without(value, name):
    fields = json.loads(value)
    del fields[name]
    return json.dumps(fields)
