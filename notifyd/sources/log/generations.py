"""Files that a name led to only while nobody looked: found by the names that rotation gives."""

from notifyd.sources.log.catalog import Catalog
from notifyd.sources.log.names import Names
from notifyd.sources.log.permission import ClosedGateError, opened
from notifyd.sources.log.position import Position
from notifyd.sources.log.siblings import Sibling, renamed, rotations
from notifyd.sources.log.tail import Tail
from notifyd.sources.log.tails import Tails


class Generations:
    """`orphaned` are names that lead to another file than before, or to none."""

    def __init__(self, tails: Tails, names: Names, catalog: Catalog) -> None:
        stored = tails.ledger.stored
        self.orphaned = {position.path for position in stored.values()}
        self._tails, self._names, self._catalog = tails, names, catalog

    def begin(self) -> None:
        """Find what was renamed before the start."""
        for found in renamed(dict(self._tails.ledger.stored)):
            self._tails.resume(found)

    def settle(self) -> None:
        """Read what came and went under these names since the last file that we know of.

        That is what was written to after it and is named like a rotated file.
        """
        if not self.orphaned:
            return
        generations = self._tails.generations(self.orphaned)
        latest: dict[str, Position] = {}
        for path, known in generations.items():
            now = self._names.get(path)
            earlier = [position for key, position in known if key[:2] != now]
            if earlier:
                latest[path] = max(earlier, key=lambda position: position.modified)
        for path, siblings in sorted(rotations(latest.keys()).items()):
            last = latest[path]
            # What was copied was truncated then: a file that is whole still has no copy.
            by_key = {found.key: found for found in siblings}
            copied = [
                position
                for key, position in generations[path]
                if key not in by_key or not _is_whole(by_key[key], path, position)
            ]
            for found in siblings:
                if found.status.st_mtime_ns >= last.modified:
                    self._adopt(path, found, copied, dict.fromkeys(last.since, 0))
        self._tails.oldest_first()
        self.orphaned = set()
        self._tails.replaced.clear()

    def truncated(self, tail: Tail, lost: Position) -> None:
        """Read what was not read of a file before it was truncated, if there is a copy of it."""
        for found in rotations({tail.path}).get(tail.path, ()):
            self._adopt(tail.path, found, [lost])
        tail.lost = None
        self._tails.note(tail, urgent=True)

    def _adopt(
        self,
        path: str,
        found: Sibling,
        known: list[Position],
        since: dict[str, int] | None = None,
    ) -> None:
        """Read a copy of a known file from where that was read to, any other since the start."""
        if self._tails.knows(found) or self._catalog.patterns(found.path):
            return
        try:
            tail = Tail(opened(found.path, found.status), found.key, path)
        except ClosedGateError:
            return
        if not any(position.check and tail.resume(position) for position in known):
            others = (tail for tail in self._tails.by_key.values() if tail.path == path)
            if since is None or any(map(tail.begins_like, others)):
                tail.close()
                return
            tail.since = since
        self._tails.adopt(tail)


def _is_whole(found: Sibling, path: str, position: Position) -> bool:
    """Whether a file still holds what was read of it."""
    try:
        tail = Tail(opened(found.path, found.status), found.key, path)
    except ClosedGateError:
        return False
    try:
        return tail.resume(position)
    finally:
        tail.close()
