"""A model of what may happen to logs: writers, rotating tools, kills, as dice will have it.

Every line has a number, and in the end each must have been told once, for each trigger that wants
it. Nothing is done here by which a line would be lost that is on disk in a file that is no archive.
"""

import gzip
import os
import random
import re
import shutil
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from notifyd.sources.logs.discovery.inotify import FsHints

MOST_LATE: Final = 60.0
"""Seconds for which a file that was renamed into another folder is read on, if nothing comes."""
_COARSE: Final = 5
"""CLOCK_REALTIME_COARSE of <time.h>: by it files are stamped."""


class Follows(Protocol):
    """What follows the logs: in this process and in virtual time, or the daemon itself."""

    def turn(self, hints: FsHints | None = None, *, commit: bool = True) -> None: ...
    def kill(self) -> None: ...
    def start(self) -> None: ...
    def pass_time(self, seconds: float) -> None: ...
    def renumber(self) -> None: ...
    def lines(self, name: str) -> list[str]: ...


@dataclass
class Log:
    """One log and its writer. path: its name; target: where it lies, if that is a link.

    owed: the rest of a line that was begun, and the text of all of it. near: whether the file of
    the late writer lies beside the log.
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
    owed: tuple[bytes, str] = (b"", "")
    rotations: int = 0
    releases: int = 0
    written: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """Make the file anew and keep it open."""
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if self.appending else 0)
        self.writer = os.open(self.target, flags, 0o644)
        os.write(self.writer, self.banner)

    def link(self) -> None:
        """Have the name lead to a place where no log was before."""
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


class Upheaval:
    """Throws dice for what happens next; `said` tells what did.

    late_writers: whether some go on writing to a renamed file.

    By dice too: what the triggers name, how rotated files are called, which logs are links, which
    are written without O_APPEND, and with how many same bytes all files begin.
    """

    def __init__(self, folder: Path, seed: int, *, late_writers: bool = True) -> None:
        self.chance = random.Random(seed)
        self.late_writers = late_writers
        self.folder, self.away = folder / "logs", folder / "away"
        self.folder.mkdir()
        self.away.mkdir()
        size = self.chance.choice([0, 0, 0, 100, 5000, 100_000])
        banner = b"#" * size + b"\n" if size else b""
        self.logs = [self._log(name, banner) for name in ("app", "web")]
        self.paths = {log.name: self._pattern(log) for log in self.logs}
        every = all("*" in pattern for [pattern] in self.paths.values())
        pairs = sorted(pattern for paths in self.paths.values() for pattern in paths)
        self.paths["both"] = [f"{self.folder}/**"] if every and self.maybe() else pairs
        self.said = [f"{self.paths} {size=} {[log.dated for log in self.logs]}"]
        self.number = 0
        self.daemon: Follows | None = None
        self.deeds = [
            *[self.write] * 8,
            *[self.write_a_part] * 3,
            *[self.finish_the_line] * 2,
            *[self.look] * 3,
            *[self.hear_of_writing] * 2,
            *[self.wait, self.restart, self.lose_a_turn, self.write_late] * 2,
            *[self.rename, self.copy_and_truncate] * 4,
            *[self.truncate, self.copy, self.rename_and_copy, self.compress, self.hard_link] * 2,
            *[self.delete_and_create, self.move_the_folder, self.swap, self.forget_the_oldest],
        ]

    def follow(self, daemon: Follows) -> None:
        self.daemon = daemon

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.log = self.chance.choice(self.logs)
            deed = self.chance.choice(self.deeds)
            self.said.append(f"{deed.__name__} {self.log.name}")
            deed()
            self.look_for_doubles()

    def end(self) -> None:
        for log in self.logs:
            self.log = log
            self.finish_the_line()
        self.daemon.turn()
        self.look_for_doubles()
        for name in self.paths:
            told = set(self.daemon.lines(name))
            lost = [line[:20] for line in self.wanted(name) if line not in told]
            assert not lost, f"{name} lost {lost}: {self.story()}"
        self.daemon.kill()
        self.close()

    def close(self) -> None:
        for log in self.logs:
            log.close()

    def wanted(self, name: str) -> list[str]:
        """List what a trigger must have been told of what is written by now."""
        return [line for log in self.logs if name in (log.name, "both") for line in log.written]

    def look_for_doubles(self) -> None:
        for name in self.paths:
            told = self.daemon.lines(name)
            if len(told) > len(set(told)) or not set(told) <= set(self.wanted(name)):
                extra = Counter(told) - Counter(self.wanted(name))
                wrong = {line[:20]: times for line, times in extra.items()}
                raise AssertionError(f"{name} told too often {wrong}: {self.story()}")

    def story(self) -> str:
        return "\n".join(self.said)

    def maybe(self) -> bool:
        return self.chance.random() < 0.5

    def note(self, **facts: object) -> None:
        self.said[-1] += "".join(f" {name}={fact}" for name, fact in facts.items())

    # What there is

    def _log(self, name: str, banner: bytes) -> Log:
        path = self.folder / f"{name}.log"
        log = Log(name, path, self.maybe(), self.chance.random() < 0.7, banner, target=path)
        if self.chance.random() < 0.2:
            log.link()
        log.begin()
        return log

    def _pattern(self, log: Log) -> list[str]:
        named = [f"{log.name}.log"]
        if not log.path.is_symlink():
            named += [f"{log.name}.log*", f"{log.name}*"]
        return [f"{self.folder}/{self.chance.choice(named)}"]

    # What programs write

    def _line(self, width: int) -> bytes:
        self.number += 1
        text = f"{self.log.name} line {self.number} " + "é" * width
        self.log.written.append(text)
        return text.encode()

    def _write(self, count: int, width: int = 1, end: bytes = b"\n") -> None:
        data, said = self.log.owed
        if said:
            self.log.written.append(said)
            self.log.owed = (b"", "")
        data += b"".join(self._line(width) + end for _ in range(count))
        os.write(self.log.writer, data)

    def write(self) -> None:
        count, width = self.chance.randint(1, 5), self.chance.randint(0, 40)
        self._write(count, width, self.chance.choice([b"\n", b"\r\n"]))

    def write_a_part(self) -> None:
        if not self.log.owed[1]:
            whole = self._line(self.chance.randint(0, 40)) + b"\n"
            cut = self.chance.randrange(1, len(whole))
            os.write(self.log.writer, whole[:cut])
            self.log.owed = (whole[cut:], self.log.written.pop())

    def finish_the_line(self) -> None:
        self._write(0)

    def write_late(self) -> None:
        """By then the daemon heard that the name leads elsewhere: the kernel tells in order."""
        if self.log.late >= 0:
            self.daemon.turn(FsHints(changed={str(self.log.path)}))
            os.write(self.log.late, self._line(3) + b"\n")
            if self.maybe():
                self.daemon.turn(FsHints(written=set(map(str, self.folder.rglob("*")))))

    # What the daemon does

    def look(self) -> None:
        self.daemon.turn()

    def hear_of_writing(self) -> None:
        self.daemon.turn(FsHints(written={str(self.log.path)}))

    def wait(self) -> None:
        seconds = self.chance.choice([0.5, 2.0, 70.0])
        self.note(seconds=seconds)
        if seconds > MOST_LATE:
            self._end_late_writers()
        self.daemon.pass_time(seconds)

    def _end_late_writers(self) -> None:
        """End those of files that lie where nobody would look any more."""
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

    def lose_a_turn(self) -> None:
        self.daemon.turn(commit=False)
        self.daemon.kill()
        self.daemon.start()

    @contextmanager
    def _perhaps_down(self):
        down = self.maybe()
        self.note(down=down)
        if down:
            self.daemon.kill()
        yield down
        if down:
            self.daemon.start()

    def _perhaps_look(self, *, down: bool) -> None:
        if not down and self.maybe():
            self.note(looks=True)
            self.daemon.turn()

    # What rotating tools do

    def _tick(self) -> None:
        """Let the clock of files go on, as it does between two rotations."""
        before = time.time()  # the coarse clock may lag by more than its grain
        while time.clock_gettime(_COARSE) <= before:
            time.sleep(0.0005)

    def _rotated(self, folder: Path | None = None) -> Path:
        """Make room for the next rotated file; gives its name."""
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
        """Have the writer begin anew; an unfinished line is finished where it was begun."""
        log = self.log
        self.finish_the_line()
        if log.late >= 0:
            os.close(log.late)
            log.late = -1
        if late and self.late_writers:
            log.late = log.writer
        else:
            os.close(log.writer)
        log.begin()

    def _finish_in_time(self) -> None:
        """Where nobody waits for late writers, finish a line before its file loses its name."""
        if not self.late_writers:
            self.finish_the_line()

    def rename(self) -> None:
        """Maybe into another folder, as olddir says; into any only what the daemon has met."""
        times = self.chance.randint(1, 3)
        where = self.chance.choice(["beside", "beside", "olddir", "away"])
        times = 1 if where == "away" else times
        self.note(times=times, where=where)
        self._finish_in_time()
        if where == "away":
            self.finish_the_line()
            self.daemon.turn()
        folder = None if where == "beside" else self.away
        if where == "olddir":
            folder = self.log.target.parent / "old"
            folder.mkdir(exist_ok=True)
        with self._perhaps_down() as down:
            for _ in range(times):
                place = self._rotated(folder)
                self.log.target.rename(place)
                if self.late_writers and self.maybe() and not (down and where == "away"):
                    self._write(1)  # by a writer that was not told yet
                self._reopen(late=not (down and where == "away"))
                self.log.near = where == "beside"
                self._write(1)
        if not down and self.maybe():
            self.daemon.turn(FsHints(changed={str(self.log.path), str(place)}))

    def hard_link(self) -> None:
        """Rotate so that there are two names for a while."""
        self._finish_in_time()
        with self._perhaps_down() as down:
            place = self._rotated()
            os.link(self.log.target, place)
            self._perhaps_look(down=down)
            self.log.target.unlink()
            self._perhaps_look(down=down)
            self._reopen(late=False)
            self._write(self.chance.randint(0, 3))

    def truncate(self) -> None:
        """Maybe to beyond the size that it had, before anybody looks."""
        self.finish_the_line()
        self.daemon.turn()
        with self._perhaps_down() as down:
            self._cut()
            self._perhaps_look(down=down)
            self._write(self.chance.randint(0, 30), 5)

    def _cut(self) -> None:
        os.truncate(self.log.target, 0)

    def copy_and_truncate(self) -> None:
        self.finish_the_line()
        self._write(1, 40)
        self.daemon.turn()
        with self._perhaps_down() as down:
            for _ in range(self.chance.randint(1, 3)):
                self._write(self.chance.randint(0, 3), 40)
                place, data = self._rotated(), self.log.target.read_bytes()
                cut = self.chance.randint(0, len(data))
                for part in (data[:cut], data[cut:]):
                    with place.open("ab") as copy:
                        copy.write(part)
                    self._perhaps_look(down=down)
                self._cut()
                self._tick()
                self._perhaps_look(down=down)
                # A file that is empty whenever the daemon looks may have been so all the time.
                self._write(self.chance.randint(not down, 3), 40)
                if not down:
                    self.daemon.turn()

    def copy(self) -> None:
        self.finish_the_line()
        with self._perhaps_down():
            shutil.copyfile(self.log.target, self._rotated())
            self._tick()

    def rename_and_copy(self) -> None:
        self._finish_in_time()
        with self._perhaps_down() as down:
            old = self.log.target.with_name(f"{self.log.path.name}.tmp")
            self._write(self.chance.randint(0, 2))
            self.log.target.rename(old)
            self._reopen(late=False)
            self._perhaps_look(down=down)
            shutil.copyfile(old, self._rotated())
            self._perhaps_look(down=down)
            old.unlink()
            self._tick()
            self._write(self.chance.randint(0, 2))

    def compress(self) -> None:
        self.daemon.turn()
        with self._perhaps_down():
            for old in self._archive():
                with gzip.open(f"{old}.gz", "wb", compresslevel=1) as packed:
                    packed.write(old.read_bytes())
                old.unlink()

    def forget_the_oldest(self) -> None:
        self.daemon.turn()
        with self._perhaps_down():
            for old in self._archive()[:2]:
                old.unlink()
            self._write(self.chance.randint(0, 2))

    def _archive(self) -> list[Path]:
        """List rotated files, the oldest first, but for what somebody still writes to."""
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
        self.daemon.turn()
        with self._perhaps_down():
            self.log.target.unlink()
            self._reopen(late=False)
            self._write(1)

    def move_the_folder(self) -> None:
        """Put another folder in the place of that of all logs."""
        for log in self.logs:
            self.log = log
            self.finish_the_line()
            log.near = False
        self._end_late_writers()
        self.daemon.turn()
        with self._perhaps_down() as down:
            self.folder.rename(self.away / f"folder{len(self.said)}")
            self._perhaps_look(down=down)
            self.folder.mkdir()
            for log in self.logs:
                self.log = log
                if log.target == log.path:
                    self._reopen(late=False)
                else:
                    os.close(log.writer)
                    log.link()
                    log.begin()
                self._write(self.chance.randint(0, 3))

    def swap(self) -> None:
        """Have a link lead to a log elsewhere; what lies where it led before is written no more."""
        if self.log.target == self.log.path:
            return
        self.finish_the_line()
        if self.log.late >= 0:
            os.close(self.log.late)
            self.log.late = -1
        self.daemon.turn()
        with self._perhaps_down():
            os.close(self.log.writer)
            self.log.link()
            self.log.begin()
            self._write(1)
