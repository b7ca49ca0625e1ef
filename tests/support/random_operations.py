"""Random operations on logs: by writers, rotation tools and kills.

Every line has a number, and at the end each must have been reported once by each trigger that
names its log. No operation loses a line on disk before the daemon can read it, except in
compressed files.
"""

import gzip
import os
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from notifyd.sources.logs.discovery.inotify import FsHints

DRAIN_SECONDS: Final = 60.0
"""How long a file that was renamed into another directory is read after its last line."""
_COARSE_CLOCK: Final = 5
"""CLOCK_REALTIME_COARSE of <time.h>, the clock of modification times."""


class LogDaemon(Protocol):
    """A tailer in this process and in virtual time, or the daemon itself."""

    def poll_all(self, hints: FsHints | None = None, *, commit: bool = True) -> None: ...
    def kill(self) -> None: ...
    def start(self) -> None: ...
    def pass_time(self, seconds: float) -> None: ...
    def renumber(self) -> None: ...
    def lines(self, name: str) -> list[str]: ...


@dataclass
class Log:
    """One log and its writer.

    target: the file, if the path is a link to it. appending: with O_APPEND. late: the descriptor of
    a writer that still writes to a renamed file, or -1. near: that file is in the same directory.
    unfinished: the rest of a line of which a part was written, and the text of all of it.
    """

    name: str
    path: Path
    dated: bool
    appending: bool
    banner: bytes
    target: Path = Path()
    writer: int = -1
    late: int = -1
    near: bool = True
    unfinished: tuple[bytes, str] = (b"", "")
    rotations: int = 0
    releases: int = 0
    written: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Create the file and keep it open."""
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if self.appending else 0)
        self.writer = os.open(self.target, flags, 0o644)
        os.write(self.writer, self.banner)

    def link(self) -> None:
        """Replace the path by a link to a directory in which no log was before."""
        self.releases += 1
        self.target = self.path.parent / f"{self.name}-release{self.releases}x" / self.path.name
        self.target.parent.mkdir()
        fresh = self.path.parent / "fresh"
        fresh.symlink_to(self.target)
        fresh.rename(self.path)

    def close(self) -> None:
        for descriptor in (self.writer, self.late):
            if descriptor >= 0:
                os.close(descriptor)
        self.writer = self.late = -1


class RandomOperations:
    """Chooses operations at random, and records them in `history`.

    late_writers: whether some writers still write to a renamed file.

    Also random: the paths of the triggers, the names of rotated files, which logs are links, which
    are written without O_APPEND, and with how many equal bytes all files begin.
    """

    def __init__(self, folder: Path, seed: int, *, late_writers: bool = True) -> None:
        self.random = random.Random(seed)
        self.late_writers = late_writers
        self.folder, self.away = folder / "logs", folder / "away"
        self.folder.mkdir()
        self.away.mkdir()
        size = self.random.choice([0, 0, 0, 100, 5000, 100_000])
        banner = b"#" * size + b"\n" if size else b""
        self.logs = [self._log(name, banner) for name in ("app", "web")]
        self.paths = {log.name: self._pattern(log) for log in self.logs}
        every = all("*" in pattern for [pattern] in self.paths.values())
        pairs = sorted(pattern for paths in self.paths.values() for pattern in paths)
        self.paths["both"] = [f"{self.folder}/**"] if every and self.maybe() else pairs
        self.history = [f"{self.paths} {size=} {[log.dated for log in self.logs]}"]
        self.number = 0
        self.daemon: LogDaemon | None = None
        self.operations = [
            *[self.write] * 8,
            *[self.write_part_of_a_line] * 3,
            *[self.finish_line] * 2,
            *[self.poll] * 3,
            *[self.poll_with_hint] * 2,
            *[self.wait, self.restart, self.lose_a_poll, self.write_late] * 2,
            *[self.rename, self.copy_and_truncate] * 4,
            *[self.truncate, self.copy, self.rename_and_copy, self.compress, self.hard_link] * 2,
            *[
                self.delete_and_create,
                self.move_the_folder,
                self.delete_the_folder,
                self.replace_by_a_longer_copy,
                self.replace_link,
                self.delete_the_oldest,
            ],
        ]

    def follow(self, daemon: LogDaemon) -> None:
        self.daemon = daemon

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.log = self.random.choice(self.logs)
            operation = self.random.choice(self.operations)
            self.history.append(f"{operation.__name__} {self.log.name}")
            operation()
            self.check_for_doubles()

    def end(self) -> None:
        for log in self.logs:
            self.log = log
            self.finish_line()
        self.daemon.poll_all()
        self.check_for_doubles()
        for name in self.paths:
            reported = set(self.daemon.lines(name))
            lost = [line[:20] for line in self.wanted(name) if line not in reported]
            assert not lost, f"{name} lost {lost}: {self.describe()}"
        self.daemon.kill()
        self.close()

    def close(self) -> None:
        for log in self.logs:
            log.close()

    def wanted(self, name: str) -> list[str]:
        """List the lines written so far that a trigger must report."""
        return [line for log in self.logs if name in (log.name, "both") for line in log.written]

    def check_for_doubles(self) -> None:
        for name in self.paths:
            reported = self.daemon.lines(name)
            if len(reported) > len(set(reported)) or not set(reported) <= set(self.wanted(name)):
                extra = Counter(reported) - Counter(self.wanted(name))
                wrong = {line[:20]: times for line, times in extra.items()}
                raise AssertionError(f"{name} reported too often {wrong}: {self.describe()}")

    def describe(self) -> str:
        return "\n".join(self.history)

    def maybe(self) -> bool:
        return self.random.random() < 0.5

    def note(self, **facts: object) -> None:
        self.history[-1] += "".join(f" {name}={fact}" for name, fact in facts.items())

    # The logs

    def _log(self, name: str, banner: bytes) -> Log:
        path = self.folder / f"{name}.log"
        log = Log(name, path, self.maybe(), self.random.random() < 0.7, banner, target=path)
        if self.random.random() < 0.2:
            log.link()
        log.begin()
        return log

    def _pattern(self, log: Log) -> list[str]:
        named = [f"{log.name}.log"]
        if not log.path.is_symlink():
            named += [f"{log.name}.log*", f"{log.name}*"]
        return [f"{self.folder}/{self.random.choice(named)}"]

    # Writers

    def _line(self, width: int) -> bytes:
        self.number += 1
        text = f"{self.log.name} line {self.number} " + "é" * width
        self.log.written.append(text)
        return text.encode()

    def _write(self, count: int, width: int = 1, end: bytes = b"\n") -> None:
        data, text = self.log.unfinished
        if text:
            self.log.written.append(text)
            self.log.unfinished = (b"", "")
        data += b"".join(self._line(width) + end for _ in range(count))
        os.write(self.log.writer, data)

    def write(self) -> None:
        count, width = self.random.randint(1, 5), self.random.randint(0, 40)
        self._write(count, width, self.random.choice([b"\n", b"\r\n"]))

    def write_part_of_a_line(self) -> None:
        if not self.log.unfinished[1]:
            whole = self._line(self.random.randint(0, 40)) + b"\n"
            cut = self.random.randrange(1, len(whole))
            os.write(self.log.writer, whole[:cut])
            self.log.unfinished = (whole[cut:], self.log.written.pop())

    def finish_line(self) -> None:
        self._write(0)

    def write_late(self) -> None:
        """Write after the hint that the path was renamed: the kernel reports in order."""
        if self.log.late >= 0:
            self.daemon.poll_all(FsHints(changed={str(self.log.path)}))
            os.write(self.log.late, self._line(3) + b"\n")
            if self.maybe():
                self.daemon.poll_all(FsHints(written=set(map(str, self.folder.rglob("*")))))

    # The daemon

    def poll(self) -> None:
        self.daemon.poll_all()

    def poll_with_hint(self) -> None:
        self.daemon.poll_all(FsHints(written={str(self.log.path)}))

    def wait(self) -> None:
        seconds = self.random.choice([0.5, 2.0, 70.0])
        self.note(seconds=seconds)
        if seconds > DRAIN_SECONDS:
            self._end_late_writers()
        self.daemon.pass_time(seconds)

    def _end_late_writers(self) -> None:
        """Close the late writers of files in directories that are not scanned."""
        for log in self.logs:
            if log.late >= 0 and not log.near:
                os.close(log.late)
                log.late = -1

    def restart(self) -> None:
        self.daemon.kill()
        if self.maybe():
            self.note(reboot=True)
            self.daemon.renumber()
        self.daemon.start()

    def lose_a_poll(self) -> None:
        self.daemon.poll_all(commit=False)
        self.daemon.kill()
        self.daemon.start()

    @contextmanager
    def _maybe_down(self):
        down = self.maybe()
        self.note(down=down)
        if down:
            self.daemon.kill()
        yield down
        if down:
            self.daemon.start()

    def _maybe_poll(self, *, down: bool) -> None:
        if not down and self.maybe():
            self.note(polls=True)
            self.daemon.poll_all()

    # Rotation tools

    def _tick(self) -> None:
        """Wait until modification times differ, as they do between two rotations."""
        before = time.time()  # the coarse clock may lag by more than its resolution
        while time.clock_gettime(_COARSE_CLOCK) <= before:
            time.sleep(0.0005)

    def _rotated(self, folder: Path | None = None) -> Path:
        """Rename the rotated files as needed; return the path of the next one."""
        self._tick()
        log = self.log
        log.rotations += 1
        folder = folder or log.target.parent
        if log.dated:
            return folder / f"{log.path.name}-{20240000 + log.rotations}"
        for number in range(log.rotations, 0, -1):
            for ending in ("", ".gz"):
                old = folder / f"{log.path.name}.{number}{ending}"
                if old.exists():
                    old.rename(folder / f"{log.path.name}.{number + 1}{ending}")
        return folder / f"{log.path.name}.1"

    def _reopen(self, *, late: bool) -> None:
        """Create the log again; an unfinished line is finished in its own file."""
        log = self.log
        self.finish_line()
        if log.late >= 0:
            os.close(log.late)
            log.late = -1
        if late and self.late_writers:
            log.late = log.writer
        else:
            os.close(log.writer)
        log.begin()

    def _finish_in_time(self) -> None:
        """Without late writers, finish a line before its file is renamed."""
        if not self.late_writers:
            self.finish_line()

    def rename(self) -> None:
        """Rename, maybe into an olddir; into any other directory only what the daemon has read."""
        times = self.random.randint(1, 3)
        where = self.random.choice(["beside", "beside", "olddir", "away"])
        times = 1 if where == "away" else times
        self.note(times=times, where=where)
        self._finish_in_time()
        if where == "away":
            self.finish_line()
            self.daemon.poll_all()
        folder = None if where == "beside" else self.away
        if where == "olddir":
            folder = self.log.target.parent / "old"
            folder.mkdir(exist_ok=True)
        with self._maybe_down() as down:
            for _ in range(times):
                place = self._rotated(folder)
                self.log.target.rename(place)
                if self.late_writers and self.maybe() and not (down and where == "away"):
                    self._write(1)  # by a writer that has not reopened its log yet
                self._reopen(late=not (down and where == "away"))
                self.log.near = where == "beside"
                self._write(1)
        if not down and self.maybe():
            self.daemon.poll_all(FsHints(changed={str(self.log.path), str(place)}))

    def hard_link(self) -> None:
        """Rotate so that the file has two paths for a while."""
        self._finish_in_time()
        with self._maybe_down() as down:
            place = self._rotated()
            os.link(self.log.target, place)
            self._maybe_poll(down=down)
            self.log.target.unlink()
            self._maybe_poll(down=down)
            self._reopen(late=False)
            self._write(self.random.randint(0, 3))

    def truncate(self) -> None:
        """Truncate, and maybe write more than there was before the next poll."""
        self.finish_line()
        self.daemon.poll_all()
        with self._maybe_down() as down:
            self._cut()
            self._maybe_poll(down=down)
            self._write(self.random.randint(0, 30), 5)

    def _cut(self) -> None:
        os.truncate(self.log.target, 0)

    def copy_and_truncate(self) -> None:
        self.finish_line()
        self._write(1, 40)
        self.daemon.poll_all()
        with self._maybe_down() as down:
            for _ in range(self.random.randint(1, 3)):
                self._write(self.random.randint(0, 3), 40)
                place, data = self._rotated(), self.log.target.read_bytes()
                cut = self.random.randint(0, len(data))
                for part in (data[:cut], data[cut:]):
                    with place.open("ab") as copy:
                        copy.write(part)
                    self._maybe_poll(down=down)
                self._cut()
                self._tick()
                self._maybe_poll(down=down)
                # A file that is empty at each poll may have been so all the time.
                self._write(self.random.randint(not down, 3), 40)
                if not down:
                    self.daemon.poll_all()

    def copy(self) -> None:
        self.finish_line()
        with self._maybe_down():
            shutil.copyfile(self.log.target, self._rotated())
            self._tick()

    def rename_and_copy(self) -> None:
        self._finish_in_time()
        with self._maybe_down() as down:
            old = self.log.target.with_name(f"{self.log.path.name}.tmp")
            self._write(self.random.randint(0, 2))
            self.log.target.rename(old)
            self._reopen(late=False)
            self._maybe_poll(down=down)
            shutil.copyfile(old, self._rotated())
            self._maybe_poll(down=down)
            old.unlink()
            self._tick()
            self._write(self.random.randint(0, 2))

    def compress(self) -> None:
        self.daemon.poll_all()
        with self._maybe_down():
            for old in self._archive():
                with gzip.open(f"{old}.gz", "wb", compresslevel=1) as packed:
                    packed.write(old.read_bytes())
                old.unlink()

    def delete_the_oldest(self) -> None:
        self.daemon.poll_all()
        with self._maybe_down():
            for old in self._archive()[:2]:
                old.unlink()
            self._write(self.random.randint(0, 2))

    def _archive(self) -> list[Path]:
        """List the rotated files that nobody writes to, the oldest first."""
        rotated = re.compile(rf"{self.log.path.name}[.-]\d+$")
        late = os.fstat(self.log.late).st_ino if self.log.late >= 0 else -1
        found = [(path.stat(), path) for path in self.log.target.parent.iterdir()]
        old = [
            (status.st_mtime_ns, path)
            for status, path in found
            if rotated.match(path.name) and status.st_ino != late
        ]
        return [path for _, path in sorted(old)]

    def delete_and_create(self) -> None:
        self._write(1)
        self.daemon.poll_all()
        with self._maybe_down():
            self.log.target.unlink()
            self._reopen(late=False)
            self._write(1)

    def replace_by_a_longer_copy(self) -> None:
        """Rename a copy with more lines over the log, as rsync and editors do.

        The daemon looks before the log is rotated: a copy that it first finds under the name of a
        rotated file is another generation.
        """
        self.finish_line()
        self._write(2)
        self.daemon.poll_all()
        self._tick()
        with self._maybe_down() as down:
            copy = self.away / "copy"
            shutil.copyfile(self.log.target, copy)
            os.close(self.log.writer)
            flags = os.O_WRONLY | (os.O_APPEND if self.log.appending else 0)
            self.log.writer = os.open(copy, flags)
            os.lseek(self.log.writer, 0, os.SEEK_END)
            self._write(self.random.randint(1, 3))
            copy.rename(self.log.target)
            self._write(self.random.randint(0, 2))
            if not down:
                self.daemon.poll_all()

    def move_the_folder(self) -> None:
        """Replace the directory of all logs."""
        self._replace_the_folder(lambda: self.folder.rename(self.away / f"f{len(self.history)}"))

    def delete_the_folder(self) -> None:
        """Delete the directory of all logs, which are still open, and make it again."""
        self._replace_the_folder(lambda: shutil.rmtree(self.folder))

    def _replace_the_folder(self, remove: Callable[[], object]) -> None:
        for log in self.logs:
            self.log = log
            self.finish_line()
            log.near = False
        self._end_late_writers()
        self.daemon.poll_all()
        with self._maybe_down() as down:
            remove()
            self._maybe_poll(down=down)
            self.folder.mkdir()
            for log in self.logs:
                self.log = log
                if log.target == log.path:
                    self._reopen(late=False)
                else:
                    os.close(log.writer)
                    log.link()
                    log.begin()
                self._write(self.random.randint(0, 3))

    def replace_link(self) -> None:
        """Replace a link by one to a new log; nothing more is written to the old one."""
        if self.log.target == self.log.path:
            return
        self.finish_line()
        if self.log.late >= 0:
            os.close(self.log.late)
            self.log.late = -1
        self.daemon.poll_all()
        with self._maybe_down():
            os.close(self.log.writer)
            self.log.link()
            self.log.begin()
            self._write(1)
