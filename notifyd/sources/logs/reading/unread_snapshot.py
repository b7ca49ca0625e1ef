"""What was seen in a file before it was read: if it is no more, there was something to miss."""

import os
from typing import NamedTuple, Self

from notifyd.sources.logs.reading.fingerprint import Fingerprint


class UnreadSnapshot(NamedTuple):
    """size: how much there was. print: of all of that."""

    size: int
    fingerprint: Fingerprint

    @classmethod
    def read(cls, descriptor: int) -> Self | None:
        """Look at a file; None if it is empty."""
        size = os.fstat(descriptor).st_size
        return cls(size, Fingerprint.read(descriptor, size)) if size else None

    def is_intact(self, descriptor: int) -> bool:
        return Fingerprint.read(descriptor, self.size) == self.fingerprint
