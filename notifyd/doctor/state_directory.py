"""Check: the state directory: whose it is, its room, its database."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from notifyd.doctor.finding import CheckOutcome, Finding, Severity
from notifyd.doctor.subject import Subject
from notifyd.model.errors import StoreError
from notifyd.model.user import effective_user
from notifyd.outbox.database import check_database, find_damage
from notifyd.outbox.location import DATABASE_NAME, check_directory, find_lock_holder

_LEAST_BYTES = 16 << 20
"""Room below which a burst of notifications may not fit."""


def check(subject: Subject) -> CheckOutcome:
    folder = subject.state_dir
    existing = _nearest_existing(folder)
    findings = [*_access_findings(folder, existing), *_room_findings(existing)]
    if folder == existing and not findings:
        findings = [*_content_findings(folder)]
    is_new = "" if folder == existing else ", which the daemon creates"
    return CheckOutcome(f"{folder}{is_new}", findings)


def _nearest_existing(folder: Path) -> Path:
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _access_findings(folder: Path, existing: Path) -> Iterator[Finding]:
    user = effective_user()
    if not existing.is_dir():
        yield Finding.fault(f"{existing} is not a directory", f"mv {existing} {existing}.old")
        return
    if not os.access(existing, os.W_OK | os.X_OK):
        fix = f"chown -R {user} {folder}" if folder == existing else f"mkdir -p {folder}"
        owner = "" if folder == existing else f" and chown {user} {folder}"
        problem = f"user {user} cannot write to the state directory {folder}"
        yield Finding.fault(problem, f"{fix}{owner}, as root")
        return
    if folder == existing:
        try:
            warning = check_directory(folder)
        except StoreError as error:
            yield Finding.from_sentence(Severity.FAULT, str(error))
        else:
            if warning:
                yield Finding.from_sentence(Severity.WARNING, warning)


def _room_findings(existing: Path) -> Iterator[Finding]:
    try:
        system = os.statvfs(existing)
    except OSError:
        return
    if system.f_flag & os.ST_RDONLY:
        yield Finding.fault(
            f"the file system of {existing} is read-only", f"mount -o remount,rw {_mount(existing)}"
        )
    free = system.f_bavail * system.f_frsize
    if system.f_blocks and free < _LEAST_BYTES:
        problem = f"the disk of {existing} is full: {free >> 10} KiB are free"
        yield Finding.fault(
            problem, f"free some space: `du -xh {_mount(existing)} | sort -h | tail`"
        )
    elif system.f_files and not system.f_favail:
        problem = f"the file system of {existing} has no inodes left"
        yield Finding.fault(problem, f"delete files: `du -x --inodes {_mount(existing)} | sort -n`")


def _mount(path: Path) -> Path:
    while not path.is_mount() and path != path.parent:
        path = path.parent
    return path


def _content_findings(folder: Path) -> Iterator[Finding]:
    try:
        check_database(folder)
        # A running daemon checks its own database.
        damage = "" if find_lock_holder(folder) else find_damage(folder)
    except StoreError as error:
        yield Finding.from_sentence(Severity.FAULT, str(error))
        return
    if damage:
        fix = "start the daemon: it moves the file aside and keeps what can be read"
        yield Finding.warning(damage, fix)
    database = folder / DATABASE_NAME
    if database.exists() and (mode := stat.S_IMODE(database.stat().st_mode)) & 0o077:
        problem = f"other users may read notifications in {database} (mode {mode:04o})"
        yield Finding.warning(problem, f"chmod 600 {database}")
