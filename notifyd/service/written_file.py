"""A file that the installation writes, and recognizes later as its own."""

import hashlib
import re
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from notifyd.config.files import replace_file

_MARK = re.compile(r"# Written by `notifyd service install`: ([0-9a-f]{16})\.[^\n]*\n")
_ADVICE = "Change it in a drop-in, not here."


class WrittenState(Enum):
    """What lies at the path of a file."""

    ABSENT = "absent"
    CURRENT = "current"
    OUTDATED = "outdated"
    EDITED = "edited"
    FOREIGN = "foreign"


class WrittenFile(NamedTuple):
    """Its first line holds a digest of the rest, by which changes of others are noticed."""

    path: Path
    content: str

    def state(self) -> WrittenState:
        """Compare what lies there. OSError if that cannot be read."""
        try:
            found = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return WrittenState.FOREIGN if self.path.is_symlink() else WrittenState.ABSENT
        mark = _MARK.match(found)
        if mark is None:
            return WrittenState.FOREIGN
        if mark[1] != _digest(found[mark.end() :]):
            return WrittenState.EDITED
        return WrittenState.CURRENT if found == self._marked() else WrittenState.OUTDATED

    def write(self) -> None:
        """Replace the file atomically."""
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        replace_file(self.path, self._marked(), 0o644)

    def _marked(self) -> str:
        digest = _digest(self.content)
        return f"# Written by `notifyd service install`: {digest}. {_ADVICE}\n{self.content}"


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:16]
