"""The scanning engine's compiled expressions, kept on disk because compiling takes long."""

import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path

import hyperscan

from notifyd.matching.literals import Literal

_MODE = hyperscan.HS_MODE_BLOCK
_KEPT = 64
_DIGEST = 32
_FULL = 100
"""For fewer texts the engine takes a way that is up to three times slower, as measured."""
_NOWHERE = tuple(
    Literal(bytes(1 + (number >> 3 * place) % 8 for place in range(12)), caseless=False)
    for number in range(1, _FULL + 1)
)
"""Texts that no log holds; if one does, a line is looked at that need not be."""


def load(
    expressions: Sequence[bytes], numbers: Sequence[int], directory: Path | None
) -> hyperscan.Database:
    """Take the database from the directory or compile it; hyperscan.error when that fails.

    numbers: what it calls the expressions. A file in the directory that is damaged, or was made by
    another engine, is made anew.
    """
    if directory is None:
        return _compiled(expressions, numbers)
    hexes = [expression.hex() for expression in expressions]
    named = json.dumps([_engine(), list(numbers), hexes])
    path = directory / f"{blake2b(named.encode(), digest_size=16).hexdigest()}.hsdb"
    if (found := _stored(path)) is not None:
        return found
    database = _compiled(expressions, numbers)
    with suppress(OSError):  # a cache: without it the next start takes longer
        _store(path, hyperscan.dumpb(database))
    return database


def literals(texts: Sequence[Literal]) -> hyperscan.Database:
    """Compile plain texts, numbered in their order: thousands of them in milliseconds."""
    every = [*texts, *_NOWHERE[: max(0, _FULL - len(texts))]]
    database = hyperscan.Database(mode=_MODE)
    database.compile(
        expressions=[literal.text for literal in every],
        ids=list(range(len(every))),
        flags=[literal.caseless * hyperscan.HS_FLAG_CASELESS for literal in every],
        literal=True,
    )
    return database


def _compiled(expressions: Sequence[bytes], numbers: Sequence[int]) -> hyperscan.Database:
    database = hyperscan.Database(mode=_MODE)
    database.compile(expressions=list(expressions), ids=list(numbers), flags=0)
    return database


@cache
def _engine() -> str:
    """Version and processor features, as the engine writes them into a database."""
    return str(_compiled([b"x"], [0]).info())


def _stored(path: Path) -> hyperscan.Database | None:
    try:
        content = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    dump = content[_DIGEST:]
    if blake2b(dump, digest_size=_DIGEST).digest() != content[:_DIGEST]:
        return None
    try:
        database = hyperscan.loadb(dump, _MODE)
        database.scratch = hyperscan.Scratch(database)
    except hyperscan.error:
        return None
    return database


def _store(path: Path, dump: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(blake2b(dump, digest_size=_DIGEST).digest() + dump)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    by_use = sorted(path.parent.glob("*.hsdb"), key=lambda file: file.stat().st_mtime)
    for old in by_use[:-_KEPT]:
        old.unlink(missing_ok=True)
