"""What `journalctl` gets of the daemon: nothing but pipes."""

import os
import socket
from contextlib import closing

from notifyd.sources.journal.journalctl import start_journalctl

SHOW = """#!/bin/sh
env
readlink /proc/self/fd/*
"""


def test_journalctl_gets_no_token_no_socket_and_no_variable_of_the_daemon(tmp_path, monkeypatch):
    for name in ("NOTIFYD_SEND_TOKEN", "OBLIEN_CLIENT_SECRET", "NOTIFY_SOCKET", "LD_PRELOAD_X"):
        monkeypatch.setenv(name, "secret")
    program = tmp_path / "journalctl"
    program.write_text(SHOW)
    program.chmod(0o755)
    with closing(socket.socket()) as listening, (tmp_path / "store").open("w") as store:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.set_inheritable(True)
        os.set_inheritable(store.fileno(), True)  # noqa: FBT003 - it takes no keyword
        process = start_journalctl([str(program)], [])
        out, err = process.communicate(timeout=60)
    lines = out.decode().splitlines()
    given = {line.partition("=")[0] for line in lines if "=" in line}
    assert given <= {
        "PATH",
        "LC_ALL",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    }  # the last four are the shell's
    assert "secret" not in out.decode()
    assert not [line for line in lines if "socket:" in line or line.endswith("/store")]
    assert err == b""
