"""What is built from a checkout is what is in it."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from notifyd import __version__

ROOT = Path(__file__).parents[2]
DISTRIBUTION = f"workspace_notifyd-{__version__}"

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists() or not shutil.which("git"),
    reason="the files that belong to the project are known in a git checkout only",
)


def git(*words, cwd):
    done = subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


def build(folder, target):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    (built,) = (folder / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def tracked():
    return set(git("ls-files", "-z", cwd=ROOT).rstrip("\0").split("\0"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory, tracked):
    """Build in a copy of this checkout in which other files lie around."""
    checkout = tmp_path_factory.mktemp("package") / "checkout"
    for name in tracked:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    git("init", "--quiet", cwd=checkout)
    git("add", "--all", cwd=checkout)
    (checkout / "notifyd" / "draft.py").touch()
    (checkout / "send-token").touch()
    return build(checkout, "sdist")


def test_a_source_distribution_holds_the_tracked_files_and_no_others(sdist, tracked):
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert names - {"PKG-INFO"} == tracked


def test_a_wheel_built_from_it_is_typed_and_holds_the_data_files(sdist, tracked, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    with zipfile.ZipFile(build(tmp_path / DISTRIBUTION, "wheel")) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        metadata = HeaderParser().parsestr(
            wheel.read(f"{DISTRIBUTION}.dist-info/METADATA").decode()
        )
    package = {name for name in tracked if name.startswith("notifyd/")}
    assert "notifyd/py.typed" in package
    manual = f"{DISTRIBUTION}.data/data/share/man/man1/"
    pages = {f"{manual}{Path(name).name}" for name in tracked if name.startswith("docs/man/")}
    assert f"{manual}notifyd-send.1" in pages
    assert names - package - pages == {
        "notifyd/config.example.toml",
        "notifyd/units/drop-ins/commands.conf",
        "notifyd/units/drop-ins/gpu.conf",
        "notifyd/units/drop-ins/private-logs.conf",
        "notifyd/units/notifyd-relay.service",
        "notifyd/units/notifyd-relay@.service",
        "notifyd/units/notifyd-token.path",
        "notifyd/units/notifyd-token.service",
        "notifyd/units/notifyd.service",
        "notifyd/units/notifyd.socket",
        "notifyd/units/notifyd.sysusers.conf",
        "notifyd/units/notifyd.tmpfiles.conf",
        "notifyd/units/user/notifyd.service",
        "notifyd/units/user/notifyd.socket",
    }
    assert (package | pages) - names == set()
    assert metadata["Name"] == "workspace-notifyd"
    assert metadata["License-Expression"] == "MIT"
    assert {"Typing :: Typed", "Operating System :: POSIX :: Linux"} <= set(
        metadata.get_all("Classifier")
    )


def test_the_workflow_covers_every_python_that_the_metadata_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = re.findall(r":: (3\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE)
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    (matrix,) = re.findall(r"^ +python: \[(.*)\]$", workflow, re.MULTILINE)
    assert matrix == ", ".join(f'"{version}"' for version in named)
    assert project["requires-python"] == f">={named[0]}"
