"""Check: the spool, in which programs leave requests for a daemon that does not answer."""

import os
from collections.abc import Iterator
from pathlib import Path

from notifyd.api.spool_directory import SpoolDirectory, is_spool_name
from notifyd.doctor.finding import CheckOutcome, Finding, Severity
from notifyd.doctor.subject import Subject
from notifyd.model.spool import FOLDER, SYSTEM_SPOOL

_PATIENCE = 60.0
"""Seconds within which a daemon imports a file."""


def check(subject: Subject) -> CheckOutcome:
    directories = [SpoolDirectory(subject.state_dir / FOLDER)]
    if subject.layout is not None and not subject.layout.is_user:
        directories.append(SpoolDirectory(Path(SYSTEM_SPOOL), is_shared=True))
    findings = [
        finding
        for directory in directories
        if os.path.lexists(directory.path)
        for finding in _findings(directory, subject)
    ]
    return CheckOutcome("nothing waits in it", findings)


def _findings(directory: SpoolDirectory, subject: Subject) -> Iterator[Finding]:
    if problem := directory.problem:
        yield Finding.from_sentence(Severity.FAULT, problem)
        return
    foreign, waiting = False, 0
    try:
        with os.scandir(directory.path) as entries:
            for entry in entries:
                if not is_spool_name(entry.name):
                    foreign = True
                elif not entry.name.startswith("."):
                    age = subject.wall() - entry.stat(follow_symlinks=False).st_mtime
                    waiting += subject.status is None or age > _PATIENCE
    except OSError as error:
        yield Finding.warning(f"{directory.path} cannot be listed: {error.strerror}")
        return
    if foreign:
        problem = f"the spool {directory.path} has files that notifyd did not write"
        yield Finding.warning(problem, f"move them away: ls -A {directory.path}")
    if waiting:
        where = f"in the spool {directory.path}"
        if subject.status is None:
            problem = f"requests that wait for a daemon {where}: {waiting}"
            yield Finding.warning(problem, subject.start_command)
        else:
            problem = f"requests that the daemon does not import {where}: {waiting}"
            yield Finding.fault(problem, subject.restart_command)
