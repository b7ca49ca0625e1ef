"""The user who runs the daemon, or would run it."""

import codecs
import os
import pwd
from pathlib import Path
from typing import NamedTuple, Self

from notifyd.model.user import user_name

_PROC = Path("/proc")
_CAP_DAC_READ_SEARCH = 2  # linux/capability.h
_LATE_CODECS = ("utf-8-sig", "idna")
"""Loaded where a configuration is read and a name is resolved."""


class DaemonUser(NamedTuple):
    """reads_everything: it may read the files of all users without being root."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    reads_everything: bool = False

    @classmethod
    def current(cls) -> Self:
        return cls(os.geteuid(), os.getegid(), tuple(os.getgroups()))

    @classmethod
    def named(cls, name: str) -> Self:
        """Return a user by name or number. KeyError if there is none."""
        account = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
        groups = os.getgrouplist(account.pw_name, account.pw_gid)
        return cls(account.pw_uid, account.pw_gid, tuple(groups))

    @classmethod
    def of_process(cls, pid: int) -> Self | None:
        """Return the user of a process; None if it has ended or is hidden."""
        try:
            lines = (_PROC / str(pid) / "status").read_text(errors="replace").splitlines()
        except OSError:
            return None
        fields = {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}
        try:
            uid, gid = int(fields["Uid"][1]), int(fields["Gid"][1])
            reads = bool(int(fields["CapEff"][0], 16) >> _CAP_DAC_READ_SEARCH & 1)
            return cls(uid, gid, tuple(map(int, fields["Groups"])), reads and uid != 0)
        except (KeyError, IndexError, ValueError):
            return None

    @property
    def name(self) -> str:
        return user_name(self.uid)

    def become(self) -> None:
        """Take this identity, for good. PermissionError unless root does it."""
        for name in _LATE_CODECS:  # that user may be unable to read this installation
            codecs.lookup(name)
        os.setgroups(self.groups)
        os.setgid(self.gid)
        os.setuid(self.uid)
