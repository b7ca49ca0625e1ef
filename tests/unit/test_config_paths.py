from pathlib import Path

import pytest

from notifyd.config.paths import socket_path, state_dir
from notifyd.config.settings import Settings

FULL = {
    "STATE_DIRECTORY": "/var/lib/notifyd:/var/lib/more",
    "XDG_STATE_HOME": "/home/me/state",
    "RUNTIME_DIRECTORY": "/run/notifyd",
    "XDG_RUNTIME_DIR": "/run/user/1000",
    "HOME": "/home/me",
}
OWN = Settings.model_validate({"state": {"dir": "/own/state"}, "socket": {"path": "/own/sock"}})


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in FULL.items() if name not in names}


@pytest.mark.parametrize(
    ("settings", "environ", "place"),
    [
        (OWN, FULL, "/own/state"),
        (Settings(), FULL, "/var/lib/notifyd"),
        (Settings(), without("STATE_DIRECTORY"), "/home/me/state/notifyd"),
        (Settings(), FULL | {"STATE_DIRECTORY": "relative"}, "/home/me/state/notifyd"),
        (Settings(), {"HOME": "/home/me"}, "/home/me/.local/state/notifyd"),
    ],
)
def test_state(settings: Settings, environ: dict[str, str], place: str):
    assert state_dir(settings, environ) == Path(place)


@pytest.mark.parametrize(
    ("settings", "environ", "place"),
    [
        (OWN, FULL, "/own/sock"),
        (Settings(), FULL, "/run/notifyd/notifyd.sock"),
        (Settings(), without("RUNTIME_DIRECTORY"), "/run/user/1000/notifyd.sock"),
        (
            Settings(),
            without("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"),
            "/var/lib/notifyd/notifyd.sock",
        ),
        (Settings(), {"HOME": "/home/me"}, "/home/me/.local/state/notifyd/notifyd.sock"),
    ],
)
def test_socket(settings: Settings, environ: dict[str, str], place: str):
    assert socket_path(settings, environ) == Path(place)
