"""The exceptions of a stack trace: what a person wants to read first."""

import re
from typing import Final

_PYTHON_START: Final = re.compile(r"^[\s|+]*Traceback \(most recent call last\):\s*$")
_EXCEPTION: Final = r"(?:[A-Za-z_$][\w$]*\.)*[A-Z_][\w$]*"
_PYTHON_EXCEPTION: Final = re.compile(rf"^[\s|]*{_EXCEPTION}(?::.*)?$")
_JAVA_FRAME: Final = re.compile(
    r"^[^\S\n]+at (?:[\w$.<>/@\[\] -]+\(.*\)|(?:async )?\S+:\d+:\d+$)", re.MULTILINE
)
"""Also of JavaScript."""
_JAVA_EXCEPTION: Final = re.compile(
    r"^(?:Exception in thread \"[^\"]*\" |Caused by: |Uncaught |\s+\[cause\]: )?"
    r"((?:(?:[a-z_$][\w$]*\.)+[A-Z][\w$]*|(?:[A-Z][\w$]*)?(?:Exception|Error))"
    r"(?: \[\w+\])?(?:: .*)?)(?: \{)?$"
)
_GO_PANIC: Final = re.compile(r"^(?:panic|fatal error): .*", re.MULTILINE)
_GO_STACK: Final = re.compile(r"^goroutine \d+ ", re.MULTILINE)
_MAX_EXCEPTIONS: Final = 10


def exceptions_of(text: str) -> list[str]:
    """Return the exceptions of a stack trace with their messages, newest first.

    Of a chain each link counts. Empty if the text is no trace of Python, Java, JavaScript or Go.
    """
    if "\n" not in text:
        return []
    lines = text.split("\n")
    found = _python_exceptions(lines)[::-1]
    if not found and _JAVA_FRAME.search(text):
        found = [match[1] for match in map(_JAVA_EXCEPTION.match, lines) if match]
    if not found and _GO_STACK.search(text):
        found = _GO_PANIC.findall(text)[::-1]
    return found[:_MAX_EXCEPTIONS]


def _python_exceptions(lines: list[str]) -> list[str]:
    """Return the line after the frames of each traceback, in the order of the text."""
    found, in_frames = [], False
    for line in lines:
        if _PYTHON_START.match(line):
            in_frames = True
        elif in_frames and not line.strip("|+- ").startswith(('File "', "...")):
            if line[:1].isspace() and not line.lstrip().startswith("|"):
                continue
            if _PYTHON_EXCEPTION.match(line):
                found.append(line.strip("| "))
                in_frames = False
            elif not line.startswith((" ", "|")):
                in_frames = False
    return found
