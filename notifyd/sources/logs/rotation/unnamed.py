"""Generations that began while the daemon was stopped, under names that do not say whose they are.

A name alone says nothing: what counts is that a file began after the last known generation, that
it ended before the present one began, and that it belongs to no other log or trigger.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from typing import Final, NamedTuple

from notifyd.sources.logs.checkpoint import Checkpoint
from notifyd.sources.logs.discovery.access import COMPRESSED_SUFFIXES, UnreadableFileError
from notifyd.sources.logs.discovery.birth_times import birth_ns
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.discovery.rotated_files import (
    RotatedFile,
    original_names,
    rotated_file_at,
)
from notifyd.sources.logs.reading.reader_set import ReaderSet

_NS: Final = 1_000_000_000
_SLACK_NS: Final = _NS
"""How long a writer may still write to a generation after it has begun the next one."""
_CLOCK_NS: Final = 20_000_000
"""How far the clock of file systems may be behind the wall clock."""
_MOST_FILES: Final = 2_000
"""Files of a directory that are considered."""
_HEAD_SIZE: Final = 4096
"""Bytes by which a copy is recognized."""
_NUMBERED: Final = re.compile(r"(?P<stem>.*\D)\d{1,6}(?P<extension>\.[^.]*)")
_LEAST_STEM: Final = 3
"""Characters of a log's name that another name must contain to be related to it."""


class _Candidate(NamedTuple):
    """born_ns: when the file was created."""

    found: RotatedFile
    born_ns: int


class _Directory(NamedTuple):
    """names: those that belong to no trigger, and by their names to no log in the directory.

    logs: the names of the logs that have rotated files. numbered: names like app1.log, by app.log.
    """

    names: list[str]
    logs: set[str]
    numbered: dict[str, list[str]]


class UnnamedGenerations:
    """Finds them for the logs that were known before the start."""

    def __init__(self, readers: ReaderSet, scanner: PathScanner) -> None:
        self._readers, self._scanner = readers, scanner
        self._last_seen: dict[str, float] = {}
        """By log, when a file of it was last known to exist, in wall-clock seconds."""
        for _, checkpoint in readers.registry.closed_files():
            seen = max(checkpoint.last_seen, self._last_seen.get(checkpoint.path, 0.0))
            self._last_seen[checkpoint.path] = seen
        self._directories: dict[str, _Directory] = {}
        """Those that were listed since `forget_directories`: many logs may be in one."""

    def forget_directories(self) -> None:
        """List directories again from now on."""
        self._directories.clear()

    @property
    def logs(self) -> list[str]:
        """The logs that were known before the start."""
        return sorted(self._last_seen)

    def find_between(
        self, log: str, latest: Checkpoint, named: Sequence[RotatedFile]
    ) -> list[RotatedFile]:
        """Find generations between the last known one and the file that has the log's path now.

        named: the rotated files that were found by their names. Where the log shares its directory
        with other files, only names that contain its own count.
        """
        directory, log_name = os.path.split(log)
        end_ns = birth_ns(log) if os.path.lexists(log) else None
        since_ns = max(latest.modified_ns, self._last_seen_ns(log))
        listed = self._list(directory)
        is_shared = bool(listed.logs - {log_name})
        found: list[RotatedFile] = []
        for each in self._candidates(directory, log_name, listed.names):
            is_earlier = end_ns is None or (
                each.born_ns <= end_ns and each.found.status.st_mtime_ns <= end_ns + _SLACK_NS
            )
            if each.born_ns >= since_ns and is_earlier:
                found.append(each.found)
            else:
                is_shared = True
        if is_shared:
            found = [each for each in found if _contains_stem(each.path, log_name)]
        return self._without_copies(found, log, named) if found else []

    def find_beside(self, log: str) -> list[RotatedFile]:
        """Find the files that a log manager began beside a log: app1.log, app2.log.

        They began after the log was last known to exist, and after it was last written to.
        """
        directory, log_name = os.path.split(log)
        names = self._list(directory).numbered.get(log_name)
        if not names:
            return []
        with suppress(OSError):
            written_ns = os.stat(log).st_mtime_ns  # noqa: PTH116 - strings throughout
            since_ns = max(self._last_seen_ns(log), written_ns - _SLACK_NS)
            candidates = self._candidates(directory, log_name, names)
            found = [each.found for each in candidates if each.born_ns >= since_ns]
            return sorted(found, key=lambda each: each.status.st_mtime_ns, reverse=True)
        return []

    def _last_seen_ns(self, log: str) -> int:
        return int(self._last_seen.get(log, 0.0) * _NS) - _CLOCK_NS

    def _list(self, directory: str) -> _Directory:
        if directory in self._directories:
            return self._directories[directory]
        present = set(_list_names(directory))
        originals = {name: original_names(name) for name in present}
        with_rotated_files = {base for bases in originals.values() for base in bases}
        listed = _Directory([], with_rotated_files & present, {})
        for name in sorted(present):
            is_of_log = name in with_rotated_files or not originals[name].isdisjoint(present)
            is_ours = self._scanner.patterns_for(os.path.join(directory, name))  # noqa: PTH118
            if is_of_log or is_ours or name.endswith(COMPRESSED_SUFFIXES):
                continue
            listed.names.append(name)
            if numbered := _NUMBERED.fullmatch(name):
                base = numbered["stem"] + numbered["extension"]
                listed.numbered.setdefault(base, []).append(name)
        self._directories[directory] = listed
        return listed

    def _candidates(
        self, directory: str, log_name: str, names: Iterable[str]
    ) -> Iterator[_Candidate]:
        """Yield the untracked files that are not rotated from the log by name."""
        for name in names:
            if name == log_name or log_name in original_names(name):
                continue
            path = os.path.join(directory, name)  # noqa: PTH118 - strings throughout
            found = rotated_file_at(path)
            if found is None or not found.status.st_size or self._is_known(found):
                continue
            if (born_ns := birth_ns(path)) is not None:
                yield _Candidate(found, born_ns)

    def _is_known(self, found: RotatedFile) -> bool:
        return found.key in self._readers or found.key in self._readers.registry

    def _without_copies(
        self, found: list[RotatedFile], log: str, named: Iterable[RotatedFile]
    ) -> list[RotatedFile]:
        """Leave out files that begin like a larger one, or like a known file of the log."""
        known = [rotated_file_at(log), *named]
        for key, checkpoint in self._readers.known_files(log):
            known.append(rotated_file_at(checkpoint.archived_path or checkpoint.path, key))
        heads = [self._read_head(each) for each in known if each is not None]
        kept = []
        for each in sorted(found, key=lambda each: each.status.st_size, reverse=True):
            head = self._read_head(each)
            if head and not any(other.startswith(head) for other in heads):
                heads.append(head)
                kept.append(each)
        return kept

    def _read_head(self, found: RotatedFile) -> bytes:
        """Return the first bytes; empty if the file cannot be read."""
        try:
            with closing(self._readers.open_detached(found)) as reader:
                return os.pread(reader.descriptor, _HEAD_SIZE, 0)
        except (OSError, UnreadableFileError):
            return b""


def _contains_stem(path: str, log_name: str) -> bool:
    stem = log_name.rpartition(".")[0] or log_name
    return len(stem) >= _LEAST_STEM and stem in os.path.basename(path)  # noqa: PTH119


def _list_names(directory: str) -> list[str]:
    """Return the names in a directory; none if there are too many, or if it is not readable."""
    with suppress(OSError):
        names = os.listdir(directory)  # noqa: PTH208 - plain names
        return names if len(names) <= _MOST_FILES else []
    return []
