"""Which path names which file, as it was when somebody last looked."""

from collections.abc import Iterator

from notifyd.sources.logs.discovery.symlinks import SymlinkTracker

FileIdentity = tuple[int, int]
"""Device and inode."""


class PathTable:
    """Several names may lead to one file, directly or through links."""

    def __init__(self) -> None:
        self._files: dict[str, FileIdentity] = {}
        self._names: dict[FileIdentity, set[str]] = {}
        self._links = SymlinkTracker()

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def get(self, path: str) -> FileIdentity | None:
        return self._files.get(path)

    def paths_of(self, identity: FileIdentity) -> set[str]:
        """List the names of a file."""
        return set(self._names.get(identity, ()))

    def paths_below(self, directory: str) -> set[str]:
        return {name for name in self._files if name.startswith(directory.rstrip("/") + "/")}

    def affected_paths(self, path: str) -> set[str]:
        """List the names that may have changed with this path, itself included."""
        return {path, *self._links.paths_through(path)}

    @property
    def link_dirs(self) -> set[str]:
        """The directories in which a link or its target may be replaced."""
        return self._links.directories

    def track_links(self, path: str) -> None:
        """Remember what a name hangs on, whether or not it leads anywhere."""
        self._links.track(path)

    def add(self, path: str, identity: FileIdentity) -> None:
        self._files[path] = identity
        self._names.setdefault(identity, set()).add(path)

    def remove(self, path: str) -> FileIdentity | None:
        """Forget a name; returns the file if that was its last."""
        self._links.forget(path)
        identity = self._files.pop(path, None)
        if identity is None:
            return None
        self._names[identity].discard(path)
        if self._names[identity]:
            return None
        del self._names[identity]
        return identity
