"""The frame of a stack trace at which a person looks first: the last one of their own code."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_PYTHON: Final = re.compile(r'^[\s|]*File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<name>.+)$')
_PYTHON_START: Final = re.compile(r"^[\s|+]*(?:Exception Group )?Traceback \(most recent call last")
_JAVA: Final = re.compile(r"^\s+at (?P<name>[\w$.<>/@]+)\((?P<file>[\w$]+\.\w+):(?P<line>\d+)\)$")
_JAVASCRIPT: Final = re.compile(
    r"^\s+at (?:async )?(?:(?P<name>[^(]+?) \()?(?P<file>[^()]+):(?P<line>\d+):\d+\)?,?(?: \{)?$"
)
_GO: Final = re.compile(r"^\t(?P<file>/\S+\.go):(?P<line>\d+)(?: \+0x[0-9a-f]+)?$")
_GO_CALL: Final = re.compile(r"^(?P<name>[\w./*()-]+)\([^()]*\)$")
_LIBRARIES: Final = re.compile(
    r"/(?:site|dist)-packages/|/lib(?:64)?/python\d|^<|^node:|^internal/|/node_modules/"
    r"|/go/src/|/pkg/mod/|^(?:java|javax|jdk|sun|com\.sun|kotlin|scala|org\.springframework"
    r"|org\.apache|org\.junit|org\.hibernate|io\.netty|reactor)\."
)
_BACKSLASH: Final = "\\"
_LONGEST: Final = 80
"""Characters of a frame as text."""


class _StackFrame(NamedTuple):
    """origin: what shows whether it belongs to a library: the file, or for Java the function."""

    file: str
    line: str
    name: str
    origin: str

    @property
    def is_own(self) -> bool:
        return not _LIBRARIES.search(self.origin)

    def __str__(self) -> str:
        place = f"{self.file.replace(_BACKSLASH, '/').rpartition('/')[2]}:{self.line}"
        name = self.name.strip()
        is_named = name and not name.startswith(("<module>", "<anonymous>", "Object.<anonymous>"))
        text = f"{place} in {name}" if is_named else place
        return text if len(text) <= _LONGEST else place[:_LONGEST]


def last_own_frame(text: str) -> str:
    """Return as `train.py:42 in step` where the newest exception of a stack trace was raised.

    Of a trace of libraries alone it is their last frame. Empty if there are no frames.
    """
    lines = text.split("\n")
    for find in (_python_frames, _java_frames, _javascript_frames, _go_frames):
        if frames := list(find(lines)):
            return str(next((frame for frame in frames if frame.is_own), frames[0]))
    return ""


def _python_frames(lines: list[str]) -> Iterator[_StackFrame]:
    """Yield the frames of the last traceback, the last call first."""
    for line in reversed(lines):
        if (found := _PYTHON.match(line)) is not None:
            yield _StackFrame(found["file"], found["line"], found["name"], found["file"])
        elif _PYTHON_START.match(line):
            return


def _java_frames(lines: list[str]) -> Iterator[_StackFrame]:
    """Yield the frames of the first exception, the last call first."""
    yield from _frames_after_first(lines, _JAVA, by_name=True)


def _javascript_frames(lines: list[str]) -> Iterator[_StackFrame]:
    yield from _frames_after_first(lines, _JAVASCRIPT, by_name=False)


def _frames_after_first(
    lines: list[str], pattern: re.Pattern[str], *, by_name: bool
) -> Iterator[_StackFrame]:
    is_started = False
    for line in lines:
        if (found := pattern.match(line)) is not None:
            is_started = True
            name = found["name"] or ""
            short = ".".join(name.split(".")[-2:]) if by_name else name
            yield _StackFrame(
                found["file"], found["line"], short, name if by_name else found["file"]
            )
        elif is_started:
            return


def _go_frames(lines: list[str]) -> Iterator[_StackFrame]:
    """Yield the frames of the first goroutine, the last call first."""
    name = ""
    for line in lines:
        if (found := _GO.match(line)) is not None:
            yield _StackFrame(found["file"], found["line"], name, found["file"])
        elif (call := _GO_CALL.match(line)) is not None:
            name = call["name"].rpartition("/")[2]
        elif line.startswith("created by "):
            return
