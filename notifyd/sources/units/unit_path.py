"""The D-Bus object paths of units, in which systemd escapes their names."""

from contextlib import suppress
from typing import Final

UNIT_PATHS: Final = "/org/freedesktop/systemd1/unit/"


def path_of_unit(unit: str) -> str:
    """Return the object path of a unit: `nginx.service` is at `…/nginx_2eservice`."""
    label = ""
    for index, byte in enumerate(unit.encode("utf-8", "surrogateescape")):
        character = chr(byte)
        is_plain = character.isascii() and character.isalnum()
        is_plain = is_plain and not (index == 0 and character.isdigit())
        label += character if is_plain else f"_{byte:02x}"
    return f"{UNIT_PATHS}{label or '_'}"


def unit_of_path(path: str) -> str:
    """Return the name of the unit with this D-Bus object path."""
    label = path.rpartition("/")[2]
    if label == "_":
        return ""
    head, *escaped = label.split("_")
    name = head.encode()
    for part in escaped:
        with suppress(ValueError):
            name += bytes.fromhex(part[:2])
            name += part[2:].encode()
    return name.decode("utf-8", "surrogateescape")
