"""Which files the triggers watch, and which of them this user cannot read."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from notifyd.config.triggers import (
    AnyTrigger,
    CommandTriggerConfig,
    FileTriggerConfig,
    LogTriggerConfig,
    ProcessTriggerConfig,
    ResourceTriggerConfig,
)
from notifyd.doctor.finding import Finding, Severity
from notifyd.doctor.subject import Subject
from notifyd.sources.globs import Glob, name_matcher
from notifyd.sources.logs.discovery.access import (
    COMPRESSED_SUFFIXES,
    UnreadableFileError,
    open_log,
    stat_log,
)
from notifyd.sources.unreadable_dirs import blocking_dir, directory_problem, traversal_fix

_MOST_ENTRIES = 200_000
"""Entries of a pattern that are looked at."""
_OPENED = 2_000
"""Logs of a pattern that are opened to see whether that is permitted."""
_LISTED = 5
"""Findings of a pattern that are reported one by one."""


@dataclass(slots=True)
class PathSurvey:
    """logs: files that log triggers read. directories: that are watched. patterns: how many."""

    logs: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    patterns: int = 0


def survey_paths(subject: Subject) -> PathSurvey:
    """Look at every path of every trigger, as this user."""
    survey = PathSurvey()
    for name, trigger in subject.settings.triggers.items():
        for pattern in _patterns(trigger):
            survey.patterns += 1
            found = list(islice(_look(name, trigger, pattern, survey), _LISTED + 1))
            survey.findings += found[:_LISTED]
            if len(found) > _LISTED:
                what = f"{pattern} ([triggers.{name}]): more paths like these"
                survey.findings.append(Finding(found[-1].severity, what, found[-1].fix))
    return survey


def _patterns(trigger: AnyTrigger) -> list[str]:
    match trigger:
        case LogTriggerConfig() | FileTriggerConfig():
            return list(trigger.paths)
        case ProcessTriggerConfig():
            return [str(path) for path in (trigger.tail, trigger.pidfile) if path]
        case ResourceTriggerConfig():
            return [str(trigger.path)] if trigger.path else []
        case CommandTriggerConfig():
            return [str(trigger.cwd)]
    return []


def _look(name: str, trigger: AnyTrigger, pattern: str, survey: PathSurvey) -> Iterator[Finding]:
    """Yield what is wrong with one pattern, and count what it watches."""
    if not isinstance(trigger, LogTriggerConfig | FileTriggerConfig):
        yield from _look_at_path(name, pattern)
        return
    glob = Glob(pattern.rstrip("/"))
    directory = str(glob.root)
    if blocking := blocking_dir(glob.pattern if glob.is_literal else directory):
        problem = f"{pattern} ([triggers.{name}]) cannot be reached: permission denied"
        yield Finding.fault(problem, traversal_fix(blocking))
        return
    is_found, unlisted = False, []
    entries = glob.walk(_ignore_rule(trigger), lambda error: unlisted.append(str(error.filename)))
    opened = 0
    for entry in islice(entries, _MOST_ENTRIES):
        if entry.is_entered:
            survey.directories.add(entry.path)
        if not entry.is_match:
            continue
        is_found = True
        if isinstance(trigger, LogTriggerConfig) and not entry.path.endswith(COMPRESSED_SUFFIXES):
            opened += 1
            yield from _read_problems(entry.path, survey) if opened <= _OPENED else ()
    for path in unlisted:
        if glob.is_literal and os.path.lexists(pattern):
            is_found = True
            yield from _read_problems(pattern, survey)
        elif sentence := directory_problem(path.rstrip("/") or "/"):
            is_found = True
            yield Finding.from_sentence(Severity.FAULT, sentence)
    if not is_found:
        yield from _missing(name, trigger, pattern, glob)


def _ignore_rule(
    trigger: LogTriggerConfig | FileTriggerConfig,
) -> Callable[[os.DirEntry[str]], bool] | None:
    """Return whether an entry is one that `ignore` leaves out; None if it leaves out nothing."""
    if not isinstance(trigger, FileTriggerConfig) or not trigger.ignore:
        return None
    names = [name_matcher(name) for name in trigger.ignore if "/" not in name]
    globs = [Glob(path) for path in trigger.ignore if "/" in path]

    def is_ignored(entry: os.DirEntry[str]) -> bool:
        return any(match(entry.name) for match in names) or any(
            glob.matches(entry.path) for glob in globs
        )

    return is_ignored


def _missing(
    name: str, trigger: LogTriggerConfig | FileTriggerConfig, pattern: str, glob: Glob
) -> Iterator[Finding]:
    is_root_missing = not glob.root.is_dir()
    if isinstance(trigger, FileTriggerConfig) and not is_root_missing:
        return  # it waits for files that are created
    where = f"; {glob.root} does not exist" if is_root_missing and not glob.is_literal else ""
    what = "does not exist" if glob.is_literal else "matches no file"
    problem = f"{pattern} ([triggers.{name}]) {what} yet{where.replace(';', ':')}"
    yield Finding.warning(problem, "correct `paths` if it is misspelt; else nothing: it is awaited")


def _look_at_path(name: str, path: str) -> Iterator[Finding]:
    if blocking := blocking_dir(path):
        problem = f"{path} ([triggers.{name}]) cannot be reached: permission denied"
        yield Finding.fault(problem, traversal_fix(blocking))
    elif not os.path.lexists(path):
        problem = f"{path} ([triggers.{name}]) does not exist yet"
        yield Finding.warning(problem, "correct the path if it is misspelt")
    elif not os.access(path, os.X_OK if Path(path).is_dir() else os.R_OK):
        with suppress(OSError):
            if stat.S_ISREG(Path(path).stat().st_mode):
                yield from _read_problems(path, PathSurvey())


def _read_problems(path: str, survey: PathSurvey) -> Iterator[Finding]:
    try:
        status = stat_log(path)
        if status is None:
            return
        os.close(open_log(path, status))
    except UnreadableFileError as error:
        yield Finding.from_sentence(Severity.FAULT, str(error))
    else:
        survey.logs.add(path)
