"""Following a path while somebody else replaces what lies on the way."""

import os
import threading
from contextlib import contextmanager

from notifyd.sources.mounts import MountTable
from notifyd.sources.path_chains import PathChains, follow_path


@contextmanager
def swapped(path, target):
    """Make the path a directory and a link to `target` in turn, without a pause."""
    done = threading.Event()
    link, folder = path.with_name("link"), path.with_name("folder")

    def swap():
        while not done.is_set():
            link.symlink_to(target)
            link.replace(path)
            folder.mkdir()
            path.unlink()
            folder.rename(path)
            path.rmdir()

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_every_directory_and_link_on_the_way_is_an_entry(tmp_path):
    (tmp_path / "real" / "bin").mkdir(parents=True)
    (tmp_path / "real" / "bin" / "python").symlink_to("../lib/python3")
    (tmp_path / "real" / "lib").mkdir()
    (tmp_path / "link").symlink_to("real")
    names = "link real real/bin real/bin/python real/lib real/lib/python3"
    entries = follow_path(f"{tmp_path}/link/bin/python").entries
    assert entries[-6:] == tuple(f"{tmp_path}/{name}" for name in names.split())


def test_a_link_that_is_replaced_meanwhile_fails_nothing(tmp_path):
    target, path, chains = tmp_path / "target", tmp_path / "way", PathChains()
    target.mkdir()
    ends = {str(target / "app.log"), str(path), str(path / "app.log"), str(target)}
    with swapped(path, target):
        for _ in range(1000):
            assert follow_path(str(path / "app.log")).end in ends
            chains.track_if_linked(str(path / "app.log"))
            MountTable().remote_type(os.fspath(path))


def test_only_paths_through_links_are_tracked(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    chains = PathChains()
    chains.track_if_linked(str(tmp_path / "real" / "a"))
    assert not chains.entries
    chains.track_if_linked(str(tmp_path / "link" / "a"))
    assert chains.paths_through(str(tmp_path / "real")) == {str(tmp_path / "link" / "a")}
