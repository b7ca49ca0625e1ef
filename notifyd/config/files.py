"""Finding the configuration's files, reading them, and laying them over each other."""

import ast
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from notifyd.config.errors import ConfigPath, ErrorReport, Origins, spoken_place
from notifyd.model.errors import ConfigError
from notifyd.model.notifications import Json
from notifyd.model.user import effective_user

SYSTEM = Path("/etc/notifyd")
NAME = "config.toml"
DROP_INS = "config.d"
_LARGEST = 8 << 20
_AT = re.compile(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)")
_TABLE = re.compile(
    r"Cannot (declare|redefine namespace|mutate immutable namespace) (\(.*\))(?: twice)?"
)
"""How the parser names a table: as a tuple of its keys."""


@dataclass(frozen=True, slots=True)
class Document:
    """One file's content; `label` is its name in the report."""

    label: str
    table: Json


def find(path: Path | None, environ: Mapping[str, str], system: Path = SYSTEM) -> Path | None:
    """Tell which file holds the configuration; None when there is none and none was named."""
    named = str(path) if path else environ.get("NOTIFYD_CONFIG", "")
    if named:
        file = Path(named).expanduser().absolute()
        if not _exists(file):
            by = "--config" if path else "NOTIFYD_CONFIG"
            raise ConfigError([f"{file}: there is no such file, but {by} names it"])
        return file
    for folder in places(environ, system):
        # A home that may not be seen is another user's, whose environment was taken along.
        there = _exists(folder / NAME) if folder == system else os.path.lexists(folder / NAME)
        if there or any((folder / DROP_INS).glob("*.toml")):
            return folder / NAME
    return None


def places(environ: Mapping[str, str], system: Path = SYSTEM) -> list[Path]:
    """List the folders in which a configuration is looked for where none is named."""
    return [folder / "notifyd" for folder in _user_folders(environ)] + [system]


def _user_folders(environ: Mapping[str, str]) -> list[Path]:
    given = environ.get("XDG_CONFIG_HOME", "")
    if given.startswith("/"):
        return [Path(given)]
    home = environ.get("HOME", "")
    return [Path(home) / ".config"] if home.startswith("/") else []


def listing(main: Path) -> list[Path]:
    """List the main file, where it exists, and its drop-ins in the order of their names."""
    drop_ins = sorted(
        file for file in (main.parent / DROP_INS).glob("*.toml") if not file.name.startswith(".")
    )
    return ([main] if os.path.lexists(main) else []) + drop_ins


def label(file: Path, main: Path) -> str:
    return file.name if file == main else f"{DROP_INS}/{file.name}"


def read(file: Path, name: str, report: ErrorReport) -> Document | None:
    """Read one file; what keeps it from being read goes into the report."""
    try:
        with open(file, "rb", opener=without_waiting) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                report.file(
                    f"{name}: is no regular file: write the configuration into one ({file})"
                )
                return None
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            report.file(f"{name}: is too large for a configuration: {_LARGEST >> 20} MiB at most")
            return None
        text = content.decode("utf-8-sig")
        return Document(name, tomllib.loads(text))
    except OSError as error:
        refused = isinstance(error, PermissionError)
        mend = f": let the user {effective_user()} read it" if refused else ""
        report.file(f"{name}: cannot be read: {error.strerror}{mend} ({file})")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        report.file(f"{name}: line {line}: is not UTF-8: save it in that encoding")
    except ValueError as error:  # TOMLDecodeError, and numbers too long for Python
        report.file(f"{name}: {_syntax(str(error), text)}")
    except RecursionError:
        report.file(f"{name}: is nested too deeply")
    return None


def _exists(file: Path) -> bool:
    """Whether a file is there; ConfigError if that cannot be seen."""
    try:
        file.lstat()
    except PermissionError as error:
        mend = f"let the user {effective_user()} enter the folders on the way to it"
        raise ConfigError([f"{file}: cannot be seen: {error.strerror}: {mend}"]) from None
    except OSError:
        return False
    return True


def without_waiting(path: str, flags: int) -> int:
    """Open as `open` does, but do not wait until somebody writes into a FIFO."""
    return os.open(path, flags | os.O_NONBLOCK)


def _syntax(message: str, text: str) -> str:
    """Put the parser's place first: line and column, also where it says "end of document"."""
    found = _AT.fullmatch(message)
    if not found:
        return message
    lines = text.split("\n")
    line, column = found[2] or len(lines), found[3] or len(lines[-1]) + 1
    reason = found[1][:1].lower() + found[1][1:]
    if table := _TABLE.fullmatch(found[1]):
        spoken = spoken_place(ast.literal_eval(table[2]))
        reason = f"[{spoken}] is defined twice"
        if table[1].startswith("mutate"):
            reason = f"nothing can be added to [{spoken}] here: write it in one place"
    if reason == "cannot overwrite a value":
        reason = "this key stands here a second time"
    if reason == r"illegal character '\n'":
        reason = "this text has no closing quote"
    return f"line {line}, column {column}: {reason}"


def merge_document(base: Json, document: Document, origins: Origins, report: ErrorReport) -> None:
    """Merge a document into the table below it. A trigger belongs to one file."""
    triggers = base.get("triggers")
    own = document.table.get("triggers")
    if isinstance(triggers, dict) and isinstance(own, dict):
        for name in triggers.keys() & own.keys():
            place = ("triggers", name)
            report.file(
                f"{document.label}: {spoken_place(place)}: is defined twice, "
                f"here and in {origins.label(place)}: rename one"
            )
            own = {key: value for key, value in own.items() if key != name}
        document = Document(document.label, document.table | {"triggers": own})
    merge(base, document.table, document.label, origins)


def merge(base: Json, table: Json, label: str, origins: Origins, at: ConfigPath = ()) -> None:
    """Merge tables deeply; of two values at one place the later stays."""
    for key, value in table.items():
        place = (*at, key)
        below = base.get(key)
        if isinstance(value, dict):
            if not isinstance(below, dict):
                below = base[key] = {}
                origins.note(place, label)
            merge(below, value, label, origins, place)
        else:
            base[key] = value
            origins.note(place, label)
