"""Find, read, merge and write the configuration files."""

import ast
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from notifyd.config.errors import ConfigPath, ErrorReport, Origins, format_path
from notifyd.model.errors import ConfigError
from notifyd.model.notifications import Json
from notifyd.model.ownership import describe_untrusted, is_untrusted_refused
from notifyd.model.user import effective_user

SYSTEM_DIR = Path("/etc/notifyd")
FILE_NAME = "config.toml"
DROP_IN_DIR = "config.d"
MAX_DEPTH = 32
"""Levels of tables and arrays in a configuration."""
_KEY_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_KEY_PART}[ \t]*+\.[ \t]*+){{64}}", re.ASCII)
"""A dotted key with far more levels than that; strings with so many dots do not occur."""
_MAX_FILE_SIZE = 8 << 20
_PARSER_MESSAGE = re.compile(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)")
_TABLE_MESSAGE = re.compile(
    r"Cannot (declare|redefine namespace|mutate immutable namespace) (\(.*\))(?: twice)?"
)
"""tomllib's messages about a table, which they show as a tuple of its keys."""
_PARSER_REASONS = {
    "cannot overwrite a value": "duplicate key",
    r"illegal character '\n'": "unterminated string",
    r"unescaped '\' in a string": (
        "in double quotes a backslash begins an escape sequence; use single quotes, such as "
        r"'\d+', in which it stands for itself"
    ),
    "invalid hex value": (
        r"in double quotes \x, \u and \U begin an escape sequence; use single quotes, in which a "
        "backslash stands for itself"
    ),
}


@dataclass(frozen=True, slots=True)
class Document:
    """The content of one file. label: the file's name in error messages."""

    label: str
    table: Json


def find_config_file(
    path: Path | None, environ: Mapping[str, str], system_dir: Path = SYSTEM_DIR
) -> Path | None:
    """Return the path of the main file, which need not exist if there are drop-ins.

    path: what --config names. Without it and NOTIFYD_CONFIG the default directories are searched;
    None if there is no configuration. Raise ConfigError for a named file that does not exist.
    """
    named = str(path) if path else environ.get("NOTIFYD_CONFIG", "")
    if named:
        file = expand_home(named).absolute()
        if not _exists(file):
            raise ConfigError([f"{file}: no such file (given by {_named_by(path)})"])
        return file
    for directory in default_dirs(environ, system_dir):
        file = directory / FILE_NAME
        # An unreadable home belongs to another user whose environment was kept: skip it.
        exists = _exists(file) if directory == system_dir else os.path.lexists(file)
        if exists or _has_drop_ins(directory):
            return file
    return None


def _has_drop_ins(directory: Path) -> bool:
    try:
        return any((directory / DROP_IN_DIR).glob("*.toml"))
    except PermissionError:
        return False


def expand_home(path: str) -> Path:
    """Expand `~`. Raise ConfigError if that home directory is unknown."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        home = path.partition("/")[0]
        raise ConfigError([f"{path}: no home directory is known for {home}"]) from None


def default_dirs(environ: Mapping[str, str], system_dir: Path = SYSTEM_DIR) -> list[Path]:
    """Return the directories searched if no file is named, in order."""
    return [directory / "notifyd" for directory in _user_config_dirs(environ)] + [system_dir]


def config_dir(files: Sequence[Path], environ: Mapping[str, str]) -> Path:
    """Return the directory of the configuration. files: what was read, main file or drop-ins."""
    if files:
        directory = files[0].parent
        return directory.parent if directory.name == DROP_IN_DIR else directory
    return default_dirs(environ)[0]


def list_files(main: Path) -> list[Path]:
    """Return the main file, if it exists, and its drop-ins ordered by name."""
    drop_ins = sorted(
        file for file in (main.parent / DROP_IN_DIR).glob("*.toml") if not file.name.startswith(".")
    )
    return ([main] if os.path.lexists(main) else []) + drop_ins


def file_label(file: Path, main: Path) -> str:
    return file.name if file == main else f"{DROP_IN_DIR}/{file.name}"


def read_document(file: Path, label: str, report: ErrorReport) -> Document | None:
    """Read and parse one file; on failure report the error and return None."""
    try:
        with open(file, "rb", opener=open_nonblocking) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                report.file_error(f"{label}: not a regular file ({file})")
                return None
            problem = describe_untrusted(file, os.fstat(stream.fileno()))
            if problem and is_untrusted_refused():
                report.file_error(f"{label}: not read as root: {problem}")
                return None
            if problem:
                report.file_warning(f"{label}: not safe: {problem}")
            content = stream.read(_MAX_FILE_SIZE + 1)
        if len(content) > _MAX_FILE_SIZE:
            report.file_error(f"{label}: file is larger than {_MAX_FILE_SIZE >> 20} MiB ({file})")
            return None
        text = content.decode("utf-8-sig")
        # The parser's time grows with the square of a key's length.
        table = {} if (too_deep := bool(_LONG_KEY.search(text))) else tomllib.loads(text)
        if not too_deep and not _is_deeper(table, MAX_DEPTH):
            return Document(label, table)
        report.file_error(f"{label}: values are nested too deeply; at most {MAX_DEPTH} levels")
    except OSError as error:
        denied = isinstance(error, PermissionError)
        fix = f"; grant read access to user {effective_user()}" if denied else ""
        report.file_error(f"{label}: cannot read the file: {error.strerror}{fix} ({file})")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        report.file_error(f"{label}: line {line}: invalid UTF-8; save the file as UTF-8")
    except ValueError as error:  # TOMLDecodeError, and integers too long for Python
        report.file_error(f"{label}: {_syntax_error(str(error), text)}")
    except RecursionError:
        report.file_error(f"{label}: values are nested too deeply; at most {MAX_DEPTH} levels")
    return None


def _is_deeper(value: object, levels: int) -> bool:
    """Return whether tables and arrays are nested deeper than this. Not recursive."""
    level = [value]
    for _ in range(levels + 1):
        nested: list[object] = []
        for item in level:
            if isinstance(item, dict):
                nested += item.values()
            elif isinstance(item, list):
                nested += item
        if not nested:
            return False
        level = nested
    return any(isinstance(item, (dict, list)) and item for item in level)


def open_nonblocking(path: str, flags: int) -> int:
    """Open without blocking on a FIFO that has no writer; an `opener` for `open`."""
    return os.open(path, flags | os.O_NONBLOCK)


def replace_file(path: Path, content: str, mode: int, *, keeps_owner: bool = False) -> None:
    """Write a file and rename it into place, so that it is never seen incomplete.

    keeps_owner: as root, let it belong to the owner of the file that it replaces, or else of the
    directory. No link that others put there meanwhile makes them the owner of another file.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    draft = f".{path.name[:64]}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(draft, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                if keeps_owner and os.geteuid() == 0:
                    os.fchown(stream.fileno(), *_owner(path.name, folder))
                stream.write(content)
                os.fchmod(stream.fileno(), mode)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(draft, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=folder)
            raise
    finally:
        os.close(folder)


def _owner(name: str, folder: int) -> tuple[int, int]:
    """Return the owner and group of a file in an open directory, or else those of the directory."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        found = os.fstat(folder)
    return found.st_uid, found.st_gid


def create_file(path: Path, content: str, mode: int) -> None:
    """Write a new file, complete or not at all. FileExistsError if there is anything."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as stream:
        try:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def merge_document(base: Json, document: Document, origins: Origins, report: ErrorReport) -> None:
    """Merge a document into `base`, in which later values win. Report triggers defined twice."""
    known = base.get("triggers")
    table = document.table
    triggers = table.get("triggers")
    if isinstance(known, dict) and isinstance(triggers, dict):
        for name in known.keys() & triggers.keys():
            path = ("triggers", name)
            report.file_error(
                f"{document.label}: {format_path(path)}: already defined in "
                f"{origins.label(path)}; rename one of them"
            )
        new = {name: trigger for name, trigger in triggers.items() if name not in known}
        table = table | {"triggers": new}
    merge_table(base, table, document.label, origins)


def merge_table(
    base: Json, table: Json, label: str, origins: Origins, parent: ConfigPath = ()
) -> None:
    """Merge `table` into `base` recursively and record `label` as the origin of its keys."""
    for key, value in table.items():
        path = (*parent, key)
        if isinstance(value, dict):
            below = base.get(key)
            if not isinstance(below, dict):
                below = base[key] = {}
                origins.record(path, label)
            merge_table(below, value, label, origins, path)
        else:
            base[key] = value
            origins.record(path, label)


def _named_by(path: Path | None) -> str:
    return "--config" if path else "NOTIFYD_CONFIG"


def _user_config_dirs(environ: Mapping[str, str]) -> list[Path]:
    config_home = environ.get("XDG_CONFIG_HOME", "")
    if config_home.startswith("/"):
        return [Path(config_home)]
    home = environ.get("HOME", "")
    return [Path(home) / ".config"] if home.startswith("/") else []


def _exists(file: Path) -> bool:
    """Return whether a path exists; raise ConfigError if that cannot be determined."""
    try:
        file.lstat()
    except PermissionError as error:
        fix = f"grant user {effective_user()} search access to its parent directories"
        raise ConfigError([f"{file}: cannot access the file: {error.strerror}; {fix}"]) from None
    except OSError:
        return False
    return True


def _syntax_error(message: str, text: str) -> str:
    """Rewrite a message of tomllib as "line 3, column 5: REASON"."""
    found = _PARSER_MESSAGE.fullmatch(message)
    if not found:
        return message
    lines = text.split("\n")
    line, column = found[2] or len(lines), found[3] or len(lines[-1]) + 1
    reason = found[1][:1].lower() + found[1][1:]
    if table := _TABLE_MESSAGE.fullmatch(found[1]):
        keys = ast.literal_eval(table[2])
        name = format_path(keys)
        reason = f"[{name}] is defined twice; write its keys in one place"
        if first := _header_line(lines[: int(line) - 1], keys):
            reason = f"[{name}] is defined twice, first in line {first}; write its keys there"
        if table[1].startswith("mutate"):
            reason = f"cannot extend the inline value of [{name}]; define it in one place"
    return f"line {line}, column {column}: {_PARSER_REASONS.get(reason, reason)}"


def _header_line(lines: Sequence[str], keys: tuple[str, ...]) -> int | None:
    """Return the number of the line that is the header of a table, if there is one."""
    header: Json = {}
    for key in reversed(keys):
        header = {key: header}
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("["):
            with suppress(tomllib.TOMLDecodeError):  # part of an array or of a text
                if tomllib.loads(line.rstrip("\r")) == header:
                    return number
    return None
