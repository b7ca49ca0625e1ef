"""The real logrotate, all of its modes, each over a log of its own that is being written to.

Every line has a number. What logrotate left on disk in the end says which of them must have been
told; nothing may be told twice, and nothing that was not written.
"""

import bz2
import gzip
import lzma
import math
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

LOGROTATE: Final = "/usr/sbin/logrotate"
LINE: Final = re.compile(rb"^\0*line (\d{6}) x*\.$", re.MULTILINE)
ROUND: Final = 20
"""How many lines are told at once, as a notification shows so many; `FILLER` completes the last."""
FILLER: Final = 900_000
PACKED: Final[dict[str, Callable[[bytes], bytes]]] = {
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".bz2": bz2.decompress,
    ".zst": lambda data: (
        subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=True).stdout
    ),
}
TRIGGER: Final = """
[triggers.{name}]
type = "log"
paths = ["{folder}/{pattern}"]
patterns = ['^line \\d{{{{6}}}} x*\\.$']
read_from = "beginning"
threshold = {round}
window = "1d"
debounce = "0s"
cooldown = "0s"
title = "lines"
body = "{{{{% for line in lines %}}}}{{{{{{{{ line[5:11] }}}}}}}} {{{{% endfor %}}}}"
"""


_SHOWN: Final = 10


@dataclass(frozen=True)
class Mode:
    """directives: of logrotate. pen: how the log is written, see `Pen`.

    whole: logrotate keeps every line. forced: else it goes by the size or the time. torn: what was
    written last is soon in an archive alone, so that is excused.
    """

    name: str
    directives: str
    pen: str = "by_name"
    whole: bool = True
    forced: bool = True
    keep: int = 1000
    torn: bool = False

    @property
    def packs_at_once(self) -> bool:
        return "compress" in self.directives and "delaycompress" not in self.directives


MODES: Final = [
    Mode("create", "create"),
    Mode("untold", "create", "late"),
    Mode("nocreate", "nocreate"),
    Mode("postrotate", "create\npostrotate\ntouch {folder}.moved\nendscript", "told"),
    Mode("hangup", "create\npostrotate\nkill -HUP $(cat {folder}.pid)\nendscript", "hangup"),
    Mode("copytruncate", "copytruncate", "append", whole=False),
    Mode("truncated-hole", "copytruncate", "offset", whole=False),
    Mode("copytruncate-dated", "copytruncate\ndateext\ndateformat -%s", "append", whole=False),
    Mode("copytruncate-away", "copytruncate\nolddir old\ncreateolddir", "append", whole=False),
    Mode("copytruncate-packed", "copytruncate\ncompress", "append", whole=False, torn=True),
    Mode("copy", "copy", "append"),
    Mode("renamecopy", "renamecopy\ncreate", whole=False),
    Mode("dated", "dateext\ndateformat -%Y%m%d-%s\ncreate", "late"),
    Mode("dated-extension", "dateext\ndateformat .%Y-%m-%d.%s\nextension .log\ncreate"),
    Mode("extension", "extension .log\ncreate", "late"),
    Mode("olddir", "olddir old\ncreateolddir\ncreate", "late"),
    Mode("olddir-dated", "olddir old\ncreateolddir\ndateext\ndateformat -%s\nnocreate"),
    Mode("gzip", "compress\ncreate", whole=False),
    Mode("xz", "compress\ncompresscmd /usr/bin/xz\ncompressext .xz\ncreate", whole=False),
    Mode(
        "zstd",
        "compress\ncompresscmd /usr/bin/zstd\ncompressoptions -q --rm\ncompressext .zst",
        whole=False,
    ),
    Mode("bzip2", "compress\ncompresscmd /bin/bzip2\ncompressext .bz2\nnocreate", whole=False),
    Mode("delaycompress", "compress\ndelaycompress\ncreate", "late", whole=False),
    Mode("size", "size 500\ncreate", forced=False),
    Mode("maxsize", "yearly\nmaxsize 500\ncreate", "late", forced=False),
    Mode("minsize", "daily\nminsize 500\ncreate", forced=False),
    Mode("start", "start 7\ncreate"),
    Mode("two", "create", "late", whole=False, keep=2),
    Mode("none", "create", whole=False, keep=0),
]


class Pen:
    """Writes one log. written: by number when; at: what "when" is now, in words.

    by_name: opens it anew for every few lines. append, offset: keeps it open, with O_APPEND and
    without. told: keeps it open until a file appears beside its folder. late: until some lines
    after it has lost its name. Lines come in pieces wherever no half of one can get lost.
    """

    def __init__(self, folder: Path, kind: str, chance: random.Random) -> None:
        self.path, self.kind, self.chance = folder / "app.log", kind, chance
        self.moved = folder.with_name(folder.name + ".moved")
        self.written: dict[int, str] = {}
        self.at = "at first"
        self._file = None if kind == "by_name" else self._opened()
        self._rest = b""
        self._late = 0

    def lines(self, count: int) -> None:
        data = b"".join(self._line() for _ in range(count))
        if self.kind in ("append", "offset"):
            for line in data.splitlines(keepends=True):
                self._file.write(line)
            return
        if self.kind == "by_name":
            with self.path.open("ab", buffering=0) as file:
                self._in_pieces(file, data)
                file.write(self._rest)
            self._rest = b""
            return
        self._file.write(self._rest)
        self._rest = b""
        if self._must_open():
            self._file.close()
            self._file = self._opened()
        self._in_pieces(self._file, data)

    def finish(self) -> None:
        if self._file is not None:
            self._file.write(self._rest)
            self._file.close()

    def _line(self) -> bytes:
        number = len(self.written) + 1
        self.written[number] = self.at
        return b"line %06d %s.\n" % (number, b"x" * self.chance.randrange(30))

    def _in_pieces(self, file, data: bytes) -> None:
        cut, end = sorted(self.chance.randint(0, len(data)) for _ in range(2))
        file.write(data[:cut])
        file.write(data[cut:end])
        self._rest = data[end:]

    def _opened(self):
        flags = os.O_WRONLY | os.O_CREAT | (0 if self.kind == "offset" else os.O_APPEND)
        return os.fdopen(os.open(self.path, flags, 0o644), "wb", buffering=0)

    def _must_open(self) -> bool:
        if self.kind == "told":
            try:
                self.moved.unlink()
            except FileNotFoundError:
                return False
            return True
        try:
            same = os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())
        except FileNotFoundError:
            same = False
        self._late = 0 if same else self._late + 1
        return self._late > 2 + self.chance.randrange(4)


_HANGING_UP = """
import os, select, signal, sys
path, number, again = sys.argv[1], 0, []
signal.signal(signal.SIGHUP, lambda *_: again.append(1))
opened = lambda: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
log = opened()
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.03)[0]:
    if again:
        again.clear()
        os.close(log)
        log = opened()
    number += 1
    line = b"line %06d %s.\\n" % (number, b"x" * (number % 30))
    os.write(log, line[:number % len(line)])
    os.write(log, line[number % len(line):])
print(number, flush=True)
"""


class HangingUp:
    """As a Pen, but a program of its own, which opens its log anew when it is sent SIGHUP."""

    def __init__(self, folder: Path) -> None:
        self.written: dict[int, str] = {}
        self.at = ""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _HANGING_UP, str(folder / "app.log")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        folder.with_name(folder.name + ".pid").write_text(str(self._process.pid))
        assert self._process.stdout.readline() == b"ready\n"

    def lines(self, count: int) -> None:
        """It writes by itself."""

    def finish(self) -> None:
        if self._process.returncode is None:
            said, _ = self._process.communicate(b"\n")
            self.written = dict.fromkeys(range(1, int(said) + 1), "at some time")

    def __del__(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.communicate()


@dataclass
class Site:
    """One log in a folder of its own. excused: numbers that need not be told.

    pattern: which of the files a trigger is to follow, as a glob.
    """

    folder: Path
    mode: Mode
    pattern: str
    chance: random.Random
    excused: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        hangup = self.mode.pen == "hangup"
        self.pen = (
            HangingUp(self.folder) if hangup else Pen(self.folder, self.mode.pen, self.chance)
        )
        self._packed: set[int] = set()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def trigger(self) -> str:
        """Write the part of a configuration, to be formatted once more, that follows it."""
        return TRIGGER.format(name=self.name, folder=self.folder, pattern=self.pattern, round=ROUND)

    @property
    def rotation(self) -> str:
        """Write the part of logrotate's configuration."""
        directives = self.mode.directives.format(folder=self.folder)
        return f"{self.folder}/app.log {{\nmissingok\nrotate {self.mode.keep}\n{directives}\n}}\n"

    def files(self) -> set[Path]:
        return {path for path in self.folder.rglob("*") if path.is_file()}

    def leave(self) -> None:
        """Take note that nobody follows this log now."""
        self._packed = self._in_packed()

    def excuse(self) -> None:
        """Excuse what was compressed while nobody followed: it is in no log any more."""
        self.excused |= self._in_packed() - self._packed

    @property
    def needless(self) -> set[int]:
        return self.excused | (self._in_packed() if self.mode.torn else set())

    @property
    def packed(self) -> set[int]:
        """What must be told though it is in archives alone: it was met before it was packed."""
        return set() if self.mode.packs_at_once else self._in_packed() - self.needless

    def _in_packed(self) -> set[int]:
        return set().union(*(numbers(path) for path in self.files() if path.suffix in PACKED))

    def fill(self, number: int) -> None:
        """Have told what waits for more."""
        with (self.folder / "app.log").open("ab") as log:
            for filler in range(ROUND):
                log.write(b"line %06d .\n" % (FILLER + number * ROUND + filler))

    def kept(self) -> set[int]:
        """List the numbers that are on disk, where they could be read.

        What is compressed before anybody has met it is in no log any more.
        """
        packed = PACKED if self.mode.packs_at_once else {}
        return set().union(*(numbers(path) for path in self.files() if path.suffix not in packed))

    def faults(self, told: Counter[int], kept: set[int]) -> str:
        """Say what is wrong with what was told; empty if nothing is. kept: before any fillers."""
        lost = kept - self.needless - told.keys()
        doubled = [number for number, times in told.items() if times > 1 and number < FILLER]
        invented = [number for number in told if number < FILLER and number not in self.pen.written]
        found = {"lost": lost, "doubled": doubled, "invented": invented}
        return "; ".join(
            f"{what} {len(which)} of {len(self.pen.written)}, written {self._when(which)}: "
            f"{sorted(which)[:_SHOWN]}"
            for what, which in found.items()
            if which
        )

    def _when(self, which: Iterable[int]) -> dict[str, int]:
        written = self.pen.written
        return dict(Counter(written.get(number, f"as {number}, never") for number in which))


class Writers(threading.Thread):
    """Writes to all logs, a few lines to each in turn, until it is `done`. pause: in seconds.

    last: the turn before which it waits, so that a busy machine is not given more lines.
    """

    def __init__(self, sites: list[Site], chance: random.Random, pause: float) -> None:
        super().__init__()
        self.pens, self.chance, self.pause = [site.pen for site in sites], chance, pause
        self.done = threading.Event()
        self.turns = 0
        self.last = math.inf

    def run(self) -> None:
        while not self.done.wait(self.pause):
            if self.turns >= self.last:
                continue
            for pen in self.pens:
                pen.lines(self.chance.randint(0, 4))
            self.turns += 1

    def say(self, when: str) -> None:
        for pen in self.pens:
            pen.at = when


class Rotator:
    """Runs logrotate over all sites: over some whatever it thinks, over others as it thinks."""

    def __init__(self, folder: Path, sites: list[Site]) -> None:
        self._folder = folder
        self._ways = {forced: folder / f"logrotate-{forced}.conf" for forced in (True, False)}
        for forced, path in self._ways.items():
            parts = [site.rotation for site in sites if site.mode.forced == forced]
            path.write_text("".join(parts))
            path.chmod(0o644)

        self._timed = [site.folder / "app.log" for site in sites if not site.mode.forced]

    def rotate(self) -> str:
        """Rotate once; returns what logrotate complained of."""
        said = ""
        lines = [f'"{path}" 2020-1-1-0:0:0\n' for path in self._timed]
        state = self._folder / "False.state"
        state.write_text("".join(["logrotate state -- version 2\n", *lines]))
        state.chmod(0o600)
        for forced, conf in self._ways.items():
            state = self._folder / f"{forced}.state"
            command = [LOGROTATE, *["-f"] * forced, "-s", str(state), str(conf)]
            said += subprocess.run(command, capture_output=True, text=True, check=False).stderr
        return said


def numbers(path: Path) -> set[int]:
    data = path.read_bytes()
    data = PACKED.get(path.suffix, bytes)(data)
    return {int(number) for number in LINE.findall(data)}
