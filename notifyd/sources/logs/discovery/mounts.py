"""Where the kernel cannot tell of changes, because others make them."""

import os
from pathlib import Path

_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "lustre", "afs", "davfs"}
_HOST = {"9p", "virtiofs", "vboxsf", "prl_fs"}
_MOUNTS = Path("/proc/self/mountinfo")


class Mounts:
    """The file systems as they are mounted at one moment."""

    def __init__(self, table: Path = _MOUNTS) -> None:
        self._kinds: dict[str, str] = {}
        try:
            lines = table.read_text(errors="surrogateescape").splitlines()
        except OSError:
            return
        for line in lines:
            left, _, right = line.partition(" - ")
            point = left.split()[4].encode(errors="surrogateescape").decode("unicode_escape")
            self._kinds[point] = right.split()[0]

    def shared(self, directory: str) -> str:
        """Name the kind of a file system that others may write to; empty for a local one."""
        place = os.path.realpath(directory)
        while place not in self._kinds and place != "/":
            place = os.path.dirname(place)  # noqa: PTH120 - strings throughout
        kind = self._kinds.get(place, "")
        return kind if kind in _NETWORK | _HOST or kind.startswith("fuse.") else ""
