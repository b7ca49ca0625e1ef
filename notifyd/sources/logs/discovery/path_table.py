"""Which file each existing path led to when it was last checked."""

from collections.abc import Iterator

from notifyd.sources.path_chains import PathChains

FileIdentity = tuple[int, int]
"""Device and inode."""


class PathTable:
    """Paths with the files they lead to. Several paths may lead to one file."""

    def __init__(self) -> None:
        self._files: dict[str, FileIdentity] = {}
        self._paths: dict[FileIdentity, set[str]] = {}
        self._links = PathChains()

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def get(self, path: str) -> FileIdentity | None:
        return self._files.get(path)

    def paths_of(self, identity: FileIdentity) -> set[str]:
        """Return the paths that lead to a file."""
        return set(self._paths.get(identity, ()))

    def paths_below(self, directory: str) -> set[str]:
        return {path for path in self._files if path.startswith(directory.rstrip("/") + "/")}

    def affected_paths(self, path: str) -> set[str]:
        """Return a path and those that lead through it, which may have changed with it."""
        return {path, *self._links.paths_through(path)}

    def paths_near_mount(self, point: str) -> set[str]:
        """Return the paths with links that a mount at this point may affect."""
        return self._links.paths_near(point)

    @property
    def link_target_dirs(self) -> set[str]:
        """The directories that contain the files to which links lead."""
        return set(self._links.end_dirs)

    @property
    def link_entries(self) -> set[str]:
        """The links, targets and directories that may be replaced on paths with links."""
        return set(self._links.entries)

    def track_links(self, path: str) -> None:
        """Record the links on a path, whether or not it leads to a file."""
        self._links.track_if_linked(path)

    def add(self, path: str, identity: FileIdentity) -> None:
        self._files[path] = identity
        self._paths.setdefault(identity, set()).add(path)

    def remove(self, path: str) -> FileIdentity | None:
        """Remove a path; return its file if no other path leads to it."""
        self._links.forget(path)
        identity = self._files.pop(path, None)
        if identity is None:
            return None
        self._paths[identity].discard(path)
        if self._paths[identity]:
            return None
        del self._paths[identity]
        return identity
