"""A small disk for the state, which fills up now and then. Only root can have one."""

import os
import random
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

SIZE = "64m"


class Disk(threading.Thread):
    """full: from when to when there was no room."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(name="disk")
        self.folder, self.random = folder, random.Random(seed)
        self.full: list[tuple[float, float]] = []
        self.done = threading.Event()
        folder.mkdir(exist_ok=True)
        self.mounted = os.geteuid() == 0 and self._mount()

    def run(self) -> None:
        while self.mounted and not self.done.wait(self.random.uniform(5, 20)):
            since = time.monotonic()
            self._fill()
            self.done.wait(self.random.uniform(0.5, 5))
            (self.folder / "ballast").unlink()
            self.full.append((since, time.monotonic()))

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=True)

    def _mount(self) -> bool:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "soak", self.folder]
        return subprocess.run(mount, check=False, capture_output=True).returncode == 0

    def _fill(self) -> None:
        with (self.folder / "ballast").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0" * (1 << 16))
        with (self.folder / "ballast").open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0" * 512)
