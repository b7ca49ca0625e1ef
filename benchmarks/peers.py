"""The tools that notifyd is measured against, each as its users run it, with the same patterns."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Command = Callable[[Sequence[str], Path, Path], list[str]]
"""From patterns, a log file, and a folder for what the tool needs: the command line."""


@dataclass(frozen=True)
class Peer:
    """counted: reads from the output how many lines matched; None where the tool does not say so.

    slices: by number of patterns, how many MiB of the corpus it gets; the slow ones get little.
    """

    program: str
    title: str
    command: Command
    counted: Callable[[str], int]
    environ: Mapping[str, str]
    slices: Mapping[int, int] | None = None


def _ripgrep(patterns: Sequence[str], log: Path, folder: Path) -> list[str]:
    return ["rg", "--no-config", "-c", "-f", _written(folder / "rg", patterns), str(log)]


def _grep(patterns: Sequence[str], log: Path, folder: Path) -> list[str]:
    file = _written(folder / "grep", [posix(pattern) for pattern in patterns])
    return ["grep", "-E", "-c", "-f", file, str(log)]


def _mtail(patterns: Sequence[str], log: Path, folder: Path) -> list[str]:
    escaped = [pattern.replace("/", r"\x2f") for pattern in patterns]
    rules = [f"/{pattern}/ {{\n  hits++\n  stop\n}}" for pattern in escaped]
    file = _written(folder / "hits.mtail", ["counter hits", *rules])
    return ["mtail", "-one_shot", "-logs", str(log), "-progs", file]


def _sec(patterns: Sequence[str], log: Path, folder: Path) -> list[str]:
    rules = [
        f"type=Single\nptype=RegExp\npattern={pattern}\ndesc=hit\naction=write - hit\n"
        for pattern in patterns
    ]
    file = _written(folder / "rules.sec", rules)
    return ["sec", f"--conf={file}", f"--input={log}", "--fromstart", "--notail", "--nointevents"]


def _fail2ban(patterns: Sequence[str], log: Path, folder: Path) -> list[str]:
    escaped = [pattern.replace("%", "%%").replace("<", r"\x3c") for pattern in patterns]
    one, *more = [f"(?=<F-ID>.</F-ID>){pattern}" for pattern in escaped]
    lines = ["[Definition]", f"failregex = {one}", *(f"            {line}" for line in more)]
    file = _written(folder / "filter.conf", lines)
    return ["fail2ban-regex", "--print-no-missed", str(log), file]


def _written(path: Path, lines: Sequence[str]) -> str:
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def posix(pattern: str) -> str:
    r"""Write a pattern without what grep -E lacks: \d, classes in brackets, (?i:…)."""
    caseless = pattern.startswith("(?i:")
    if caseless:
        pattern = pattern[4:-1]
    tokens = re.findall(r"\\.|\[\^?\]?[^\]]*\]|.", pattern)
    return "".join(_posix(token, caseless=caseless) for token in tokens)


def _posix(token: str, *, caseless: bool) -> str:
    if token == r"\d":
        return "[0-9]"
    if token.startswith("[") and len(token) > 1:
        token = token.replace(r"\d", "0-9").replace(r"\w", "_[:alnum:]")
        return token.replace("a-z", "a-zA-Z") if caseless else token
    return f"[{token.lower()}{token.upper()}]" if caseless and token.isalpha() else token


def _first_number(output: str) -> int:
    return int(output or 0)


def _mtail_count(output: str) -> int:
    values = json.loads(output)["hits"][0]["LabelValues"]
    return sum(value["Value"].get("Value", 0) for value in values)


def _fail2ban_count(output: str) -> int:
    found = re.search(r"(\d+) matched", output)
    return int(found[1]) if found else 0


PEERS = (
    Peer("rg", "rg -c -f", _ripgrep, _first_number, {}),
    Peer("grep", "LC_ALL=C grep -E -c -f", _grep, _first_number, {"LC_ALL": "C"}),
    Peer("mtail", "mtail", _mtail, _mtail_count, {}, {1: 32, 10: 8, 100: 4}),
    Peer("sec", "SEC", _sec, lambda text: text.count("hit\n"), {}, {1: 32, 10: 8, 100: 4}),
    Peer("fail2ban-regex", "fail2ban-regex", _fail2ban, _fail2ban_count, {}, {1: 8, 10: 4, 100: 1}),
)
