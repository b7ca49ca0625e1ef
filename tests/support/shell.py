"""Blocks of shell commands, run as a reader of the documentation would type them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from notifyd.client.http import send_request
from notifyd.model.errors import DaemonUnreachableError
from support.daemon import wait_for
from support.markdown import pushes

ROOT = Path(__file__).parents[2]


def environ(home: Path, **more: str) -> dict[str, str]:
    """Return a user's environment in which `notifyd` is this one, unless they install another."""
    path = f"{home}/.local/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "PYTHONUTF8": "1", **more}


def shell(
    script: str, env: dict[str, str], cwd: Path = ROOT, given: str = "", options: str = "-eu"
) -> str:
    """Run a script in which every command must succeed; returns its output."""
    done = subprocess.run(
        ["sh", options, "-c", script],
        env=env,
        cwd=cwd,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def typed(script: str, env: dict[str, str], cwd: Path = ROOT) -> None:
    """Run a script in which a command fails on purpose, as an interactive shell would."""
    shell(f"{script}\ntrue", env, cwd, options="-u")


@contextmanager
def running(
    script: str, env: dict[str, str], cwd: Path = ROOT
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a script that does not end by itself; it is ended as by Ctrl-C."""
    process = subprocess.Popen(
        ["sh", "-eu", "-c", script], env=env, cwd=cwd, start_new_session=True
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(45)


def socket_of(home: Path) -> Path:
    """Return where a user's daemon listens when nothing else is configured."""
    return home / ".local/state/notifyd/notifyd.sock"


def listed(socket: Path) -> list[tuple[str, str]] | None:
    """Return the title and body of each notification; None while no daemon answers."""
    try:
        _, answer = send_request("GET", "/v1/notifications", socket_path=str(socket))
    except DaemonUnreachableError:
        return None
    return [(row["title"], row["body"]) for row in answer["notifications"]]


def wait_for_daemon(home: Path) -> None:
    wait_for(lambda: listed(socket_of(home)) is not None, what="a daemon")


def wait_for_pushes(platform: object, text: str, home: Path) -> None:
    """Wait for the pushes that a text announces; a body counts where one is shown."""
    announced = pushes(text.replace("~/", f"{home}/"))
    assert announced

    def missing() -> list[tuple[str, str]]:
        shown = {(item.json["title"], item.json.get("body", "")) for item in platform.received}
        titles = {title for title, _ in shown}
        return [
            (title, body)
            for title, body in announced
            if (title, body) not in shown and (body or title not in titles)
        ]

    wait_for(lambda: not missing(), what=missing)
