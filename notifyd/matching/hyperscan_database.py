"""Compiled Hyperscan databases, cached on disk because compiling takes long."""

import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import hyperscan

from notifyd.matching.literals import Literal
from notifyd.model.ownership import describe_untrusted

_MODE = hyperscan.HS_MODE_BLOCK
_MAX_FILES = 64
_DIGEST_SIZE = 32
_MIN_LITERALS = 160
"""With fewer texts Hyperscan's matcher is up to three times slower, as measured: with less than a
hundred it is another one, and then one with a smaller table."""
_PADDING = tuple(
    Literal(bytes(1 + (number >> 3 * place) % 8 for place in range(12)), ignore_case=False)
    for number in range(1, _MIN_LITERALS + 1)
)
"""Texts that no log contains. If one does, a line is examined needlessly."""


def load_or_compile(
    expressions: Sequence[bytes], ids: Sequence[int], directory: Path | None
) -> hyperscan.Database:
    """Return a database of expressions, from the cache if possible.

    ids: what matches of the expressions report. directory: of the cache, if there is one. A cached
    file that is damaged, or that Hyperscan refuses because another engine wrote it, is replaced.
    Raise hyperscan.error if an expression cannot be compiled.
    """
    if directory is None:
        return _compile(expressions, ids)
    hexes = [expression.hex() for expression in expressions]
    # Asking the engine itself would load its compiler, which takes 3 MB and is seldom needed.
    version = hyperscan.__version__  # type: ignore[attr-defined]  # the stubs lack it
    key = json.dumps([version, list(ids), hexes])
    path = directory / f"{blake2b(key.encode(), digest_size=16).hexdigest()}.hsdb"
    if (cached := _read(path)) is not None:
        return cached
    database = _compile(expressions, ids)
    with suppress(OSError):  # without the cache only the next start takes longer
        _write(path, hyperscan.dumpb(database))
    return database


def compile_literals(literals: Sequence[Literal], *, padded: bool) -> hyperscan.Database:
    """Compile plain texts, with their indexes as ids. Thousands take milliseconds.

    padded: prefer the speed of scans to that of compiling. Greater ids are of texts to be ignored.
    """
    missing = max(0, _MIN_LITERALS - len(literals)) if padded else 0
    texts = [*literals, *_PADDING[:missing]]
    database = hyperscan.Database(mode=_MODE)
    database.compile(
        expressions=[literal.text for literal in texts],
        ids=list(range(len(texts))),
        flags=[literal.ignore_case * hyperscan.HS_FLAG_CASELESS for literal in texts],
        literal=True,
    )
    return database


def _compile(expressions: Sequence[bytes], ids: Sequence[int]) -> hyperscan.Database:
    database = hyperscan.Database(mode=_MODE)
    database.compile(expressions=list(expressions), ids=list(ids), flags=0)
    return database


def _read(path: Path) -> hyperscan.Database | None:
    """Read a cached database. One that others could have written is ignored."""
    try:
        with open(path, "rb", opener=_open_regular) as file:
            for status in (os.fstat(file.fileno()), path.parent.stat()):
                if describe_untrusted(path, status):
                    return None
            content = file.read()
        os.utime(path)
    except OSError:
        return None
    dump = content[_DIGEST_SIZE:]
    if blake2b(dump, digest_size=_DIGEST_SIZE).digest() != content[:_DIGEST_SIZE]:
        return None
    try:
        database = hyperscan.loadb(dump, _MODE)
        database.scratch = hyperscan.Scratch(database)
    except hyperscan.error:
        return None
    return database


def _open_regular(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _write(path: Path, dump: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(blake2b(dump, digest_size=_DIGEST_SIZE).digest() + dump)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    by_age = sorted(path.parent.glob("*.hsdb"), key=lambda file: file.stat().st_mtime)
    for old in by_age[:-_MAX_FILES]:
        old.unlink(missing_ok=True)
