from pathlib import Path

import pytest

from notifyd.config.files import find_config_file
from notifyd.config.paths import socket_path, state_dir
from notifyd.model.errors import ConfigError

FULL = {
    "STATE_DIRECTORY": "/var/lib/notifyd:/var/lib/more",
    "XDG_STATE_HOME": "/home/me/state",
    "RUNTIME_DIRECTORY": "/run/notifyd",
    "XDG_RUNTIME_DIR": "/run/user/1000",
    "HOME": "/home/me",
}


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in FULL.items() if name not in names}


@pytest.mark.parametrize(
    ("configured", "environ", "expected"),
    [
        (Path("/own/state"), FULL, "/own/state"),
        (None, FULL, "/var/lib/notifyd"),
        (None, without("STATE_DIRECTORY"), "/home/me/state/notifyd"),
        (None, FULL | {"STATE_DIRECTORY": "relative"}, "/home/me/state/notifyd"),
        (None, {"HOME": "/home/me"}, "/home/me/.local/state/notifyd"),
    ],
)
def test_state_directory(configured: Path | None, environ: dict[str, str], expected: str):
    assert state_dir(configured, environ) == Path(expected)


def test_an_unknown_home_directory_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(ConfigError, match="no home directory is known for this user: set HOME"):
        state_dir(None, {})
    with pytest.raises(ConfigError, match="no home directory is known for ~nobody-there"):
        find_config_file(Path("~nobody-there/x"), {})


@pytest.mark.parametrize(
    ("configured", "environ", "expected"),
    [
        (Path("/own/sock"), FULL, "/own/sock"),
        (None, FULL, "/run/notifyd/notifyd.sock"),
        (None, without("RUNTIME_DIRECTORY"), "/run/user/1000/notifyd.sock"),
        (None, without("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"), "/state/notifyd.sock"),
        (None, {"XDG_RUNTIME_DIR": "relative"}, "/state/notifyd.sock"),
    ],
)
def test_socket(configured: Path | None, environ: dict[str, str], expected: str):
    assert socket_path(configured, Path("/state"), environ) == Path(expected)
