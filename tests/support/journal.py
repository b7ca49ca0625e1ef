"""A journal read through a fake journalctl, and the journal source reading it."""

import asyncio
import base64
import json
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.journal.identity import OwnIdentity
from notifyd.sources.journal.options import JournalSourceOptions
from notifyd.sources.journal.source import JournalSource
from support.logs import CountingExecutor, record_matcher_for, scanner_for, until
from support.recorder import Recorder

SCRIPT = Path(__file__).with_name("journalctl.py")
BOOT = "b" * 32
SEQUENCE = "5" * 32
MICROSECONDS = 1_000_000


def trigger(*units, patterns=".", **keys):
    given = {"type": "log", "journal": list(units) or ["app"], "patterns": patterns} | keys
    return LogTriggerConfig.model_validate(given)


class Journal:
    """folder: contains the fake journalctl, so that it can be put on PATH."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.command = folder / "journalctl"
        self.command.write_text(f"#!{sys.executable} -IS\n{SCRIPT.read_text()}")
        self.command.chmod(0o755)
        self.entries, self.fault = folder / "entries", folder / "fault"
        self.lag, self._next = folder / "lag", folder / "next"
        self._asked = folder / "asked"
        self.entries.touch()
        self._asked.touch()
        self.sequence, self.number = SEQUENCE, 0
        self._boot = folder / "boot"
        self.boot = BOOT
        self.start = time.time() - 3600
        self.roots = (folder / "root",)
        machine = self.roots[0] / Path("/etc/machine-id").read_text().strip()
        machine.mkdir(parents=True)
        (machine / "system.journal").touch()

    @property
    def boot(self):
        return self._boot.read_text()

    @boot.setter
    def boot(self, boot):
        """Simulate a reboot; like the real one, journalctl reads the boot id when it starts."""
        self._boot.write_text(boot)

    def write(self, *messages, unit="app.service", pid="7", uid="1000", **fields):
        """Add entries; a message of None is an entry without one."""
        self._add(self.entries, [self._entry(m, unit, pid, uid, fields) for m in messages])

    def suppress(self, number, unit="app.service", uid="0"):
        """Add journald's report that it dropped entries of a unit."""
        self.write(
            f"Suppressed {number} messages from {unit}",
            unit="systemd-journald.service",
            uid=uid,
            MESSAGE_ID="a596d6fe7bfa4994828e72309e95d61e",
            N_DROPPED=str(number),
            OBJECT_SYSTEMD_UNIT=unit,
        )

    def write_next(self, message, unit="app.service"):
        """Add an entry during the next query for the last one, after that."""
        self._add(self._next, [self._entry(message, unit, "7", "1000", {})])

    def _add(self, path, entries):
        with path.open("a") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in entries)

    def _entry(self, message, unit, pid, uid, fields):
        self.number += 1
        stamp = int((self.start + self.number) * MICROSECONDS)
        entry = {
            "__CURSOR": f"s={self.sequence};i={self.number:x};b={self.boot};"
            f"m={self.number * 1000:x};t={stamp:x};x={self.number:x}",
            "__REALTIME_TIMESTAMP": str(stamp),
            "__MONOTONIC_TIMESTAMP": str(self.number * 1000),
            "_BOOT_ID": self.boot,
            "_PID": pid,
            "_UID": uid,
            "_COMM": "appd",
        }
        if unit:
            entry["_SYSTEMD_UNIT"] = unit
        if isinstance(message, bytes):
            entry["MESSAGE"] = {"base64": base64.b64encode(message).decode()}
        elif message is not None:
            entry["MESSAGE"] = message
        return entry | fields

    def vacuum(self, number):
        """Delete the oldest entries."""
        kept = self.entries.read_text().splitlines(keepends=True)[number:]
        fresh = self.entries.with_name("fresh")
        fresh.write_text("".join(kept))
        fresh.replace(self.entries)

    def rotate(self):
        """Add a file to the journal's directory."""
        (next(self.roots[0].iterdir()) / f"system@{self.number}.journal").touch()

    def followed(self):
        """Return the pids of the journalctls with --follow, in the order of their start."""
        return self.asked("--follow")

    def asked(self, word):
        """Return the pids of the journalctls that were started with an argument."""
        words = [line.split() for line in self._asked.read_text().splitlines()]
        return [int(pid) for pid, *arguments in words if word in arguments]

    @asynccontextmanager
    async def running(
        self, triggers, *, checkpoints=None, emit=None, check_interval=0.05, **options
    ):
        """Run a source; yield a recorder after the first batch, or the end of the source."""
        if not isinstance(triggers, dict):
            triggers = {"t": triggers}
        recorder = Recorder(checkpoints)
        with CountingExecutor(1) as executor:
            recorder.executor = executor
            source_options = JournalSourceOptions(
                triggers,
                scanner_for(triggers),
                record_matcher_for(triggers),
                time.time,
                command=(str(self.command),),
                roots=self.roots,
                identity=OwnIdentity(4242, 0, "notifyd.service"),
                check_interval=check_interval,
                **options,
            )
            recorder.source = JournalSource(source_options, recorder.checkpoints, executor=executor)
            recorder.task = asyncio.create_task(recorder.source.run(emit or recorder.emit))
            try:
                await until(lambda: recorder.batches or recorder.task.done() or emit)
                yield recorder
            finally:
                recorder.task.cancel()
                await asyncio.wait([recorder.task])
                if not recorder.task.cancelled():
                    recorder.ended = recorder.task.exception()
