"""The patterns behind the names that `multiline` accepts: the first line of a record."""

from collections.abc import Mapping
from typing import Final

_PYTHON_CONTINUATIONS: Final = (
    r"\s",
    r"$",
    r"Traceback \(most recent call last\):",
    r"During handling of the above exception",
    r"The above exception was the direct cause",
    r"[|+] ",
    r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|Exit|Interrupt|Group|Iteration)(?::|$)",
    r"(?:[A-Za-z_]\w*\.)+[A-Z]\w*(?::|$)",
)
_JAVA_CONTINUATIONS: Final = (
    r"\s",
    r"$",
    r"Caused by: ",
    r"Suppressed: ",
    r"(?:[a-z_$][\w$]*\.)+[A-Z][\w$]*(?::|$)",
)
_GO_CONTINUATIONS: Final = (
    r"\s",
    r"$",
    r"goroutine \d+ ",
    r"\[signal ",
    r"created by ",
    r"exit status \d",
    r"[\w./~-]+\.[\w.()*\[\]{}-]+\(.*\)$",
)
_TIMESTAMPS: Final = (
    r"\d{4}[-/.]\d\d[-/.]\d\d",
    r"\d\d[-/.]\d\d[-/.]\d{2,4}\b",
    r"\d\d/[A-Z][a-z]{2}/\d{4}",
    r"(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d",
    r"\d\d:\d\d:\d\d",
    r"\d{10}(?:\d{3})?\b",
    r"[IWEF]\d{4} \d\d:",
)


def _except(continuations: tuple[str, ...]) -> str:
    return f"^(?!{'|'.join(continuations)})"


RECORD_STARTS: Final[Mapping[str, str]] = {
    "python": _except(_PYTHON_CONTINUATIONS),
    "java": _except(_JAVA_CONTINUATIONS),
    "go": _except(_GO_CONTINUATIONS),
    "timestamp": rf"^[\[(<]?(?:{'|'.join(_TIMESTAMPS)})",
}
