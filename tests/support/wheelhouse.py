"""Wheels made of the packages that are installed here: pip can then install without a network."""

import zipfile
from email.parser import HeaderParser
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

_WRITTEN_AT_INSTALLATION = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}


def pack(folder: Path, names: list[str]) -> None:
    """Write a wheel of each named distribution and of everything that it requires."""
    for found in _required(names):
        _pack(found, folder)


def _required(names: list[str]) -> list[Distribution]:
    environment = {**default_environment(), "extra": ""}
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = distribution(name)
            needs = map(Requirement, found[name].requires or ())
            waiting += [
                need.name
                for need in needs
                if need.marker is None or need.marker.evaluate(environment)
            ]
    return list(found.values())


def _pack(found: Distribution, folder: Path) -> None:
    tags = HeaderParser().parsestr(found.read_text("WHEEL") or "").get_all("Tag", [])
    files = [
        path
        for path in found.files or ()
        if path.parts[0] != ".."  # scripts: pip writes them anew
        and path.suffix != ".pyc"
        and path.name not in _WRITTEN_AT_INSTALLATION
    ]
    (record,) = (path for path in found.files or () if path.name == "RECORD")
    stem = f"{found.metadata['Name'].replace('-', '_')}-{found.version}"
    with zipfile.ZipFile(folder / f"{stem}-{tags[-1]}.whl", "w") as wheel:
        for path in files:
            wheel.write(found.locate_file(path), str(path))
        wheel.writestr(str(record), "".join(f"{path},,\n" for path in [*files, record]))
