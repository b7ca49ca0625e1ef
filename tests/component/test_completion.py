"""`notifyd completion`: shells complete commands, options, files and names of the daemon."""

import asyncio
import os
import pty
import select
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from notifyd.cli import COMMANDS
from support.command import run
from support.socket_api import PATIENCE, Daemon, send

SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source ./_notifyd"),
    "zsh": (["zsh", "-f", "-i"], "fpath+=$PWD; autoload -Uz compinit; compinit -u -D"),
    "fish": (["fish", "--no-config", "-i"], "source ./_notifyd"),
}
PROGRAMS = Path(sys.executable).parent


class Shell:
    """A shell on a terminal. screen: all that it has written."""

    def __init__(self, terminal):
        self.terminal = terminal
        self.screen = ""

    async def type(self, text, *, until):
        """Type a text, and wait until the shell has written another one since."""
        self.screen = ""
        os.write(self.terminal, text.encode())
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while until not in self.screen:
            left = max(deadline - loop.time(), 0)
            ready, _, _ = await asyncio.to_thread(select.select, [self.terminal], [], [], left)
            assert ready, f"no {until!r} in {self.screen!r}"
            self.screen += os.read(self.terminal, 1 << 16).decode("utf-8", "replace")


@contextmanager
def shell(name, directory, **environ):
    words, _ = SHELLS[name]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(directory)
        path = f"{PROGRAMS}:{os.environ['PATH']}"
        os.execvpe(words[0], words, {"HOME": ".", "PATH": path, "TERM": "dumb", **environ})
    try:
        yield Shell(terminal)
    finally:
        os.close(terminal)  # the shell gets a SIGHUP
        os.waitpid(pid, 0)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason="no such shell"))
        for name in SHELLS
    ],
)
async def test_a_shell_completes_what_is_typed(served: Daemon, name, tmp_path):
    served.control.state["triggers"] = {
        "build-failed": {"type": "log"},
        "nightly-backup": {"type": "heartbeat"},
    }
    await send(served.path, {"title": "x", "delay": "1h"})
    (tmp_path / "build-output.log").touch()
    (tmp_path / "_notifyd").write_text((await run("completion", name)).out)
    with shell(name, tmp_path, NOTIFYD_SOCK=str(served.path)) as typed:
        await typed.type(f"{SHELLS[name][1]}; echo re''ady\n", until="ready\r")
        for text, completed in [
            ("notifyd histo", "history"),
            ("notifyd history --sta", "--status"),
            ("notifyd history --status deliv", "delivered"),
            ("notifyd explain buil", "build-failed"),
            ("notifyd ping nigh", "nightly-backup"),
            ("notifyd cancel n", "n1"),
            ("notifyd match build-failed buil", "build-output.log"),
        ]:
            await typed.type(f"{text}\t", until=completed)
            await typed.type("\x15", until="")  # forget the line


@pytest.mark.parametrize("name", SHELLS)
async def test_every_command_is_in_the_script(name):
    ran = await run("completion", name)
    assert (ran.status, ran.err) == (0, "")
    for command in COMMANDS:
        assert command in ran.out
    assert "--wait[=" not in ran.out


async def test_names_come_from_the_daemon(served: Daemon):
    served.control.state["triggers"] = {"a": {"type": "log"}, "b": {"type": "heartbeat"}}
    for title in ("one", "two"):
        await send(served.path, {"title": title})
    served.control.rows["n2"]["status"] = "failed"

    async def names(kind):
        return (await run("completion", "--names", kind, NOTIFYD_SOCK=str(served.path))).out.split()

    assert await names("triggers") == ["a", "b"]
    assert await names("heartbeats") == ["b"]
    assert await names("unsent") == ["n1"]
    assert await names("failed") == ["n2"]


async def test_without_a_daemon_there_are_no_names_and_no_message(tmp_path):
    ran = await run("completion", "--names", "triggers", NOTIFYD_SOCK=str(tmp_path / "none"))
    assert (ran.status, ran.out, ran.err) == (0, "", "")
