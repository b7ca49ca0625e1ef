import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from notifyd.cli import main
from notifyd.outbox.database import open_database
from support import forked

BAD = '[log]\nlevle = "info"\n[budget]\nmax = 0\n'
GOOD = """
[triggers.a]
type = "log"
paths = "/x"
patterns = ['x*', 'fine', '(?:fine){e<=1}']
"""


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that other users can read, as pytest's own is not."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def check(directory: Path, content: str, *options: str, **environ: str) -> forked.Ended:
    (directory / "config.toml").write_text(content)
    file = str(directory / "config.toml")
    environ = {
        "PATH": os.environ["PATH"],
        "SEND_TOKEN": "onp_x",
        "HOME": str(directory),
    } | environ
    return forked.run(["check", "--config", file, *options], environ=environ, text=True)


def test_a_valid_config_is_0_with_warnings(tmp_path: Path):
    done = check(tmp_path, GOOD)
    assert (done.returncode, done.stdout) == (0, f"ok: 1 trigger; {tmp_path}/config.toml\n")
    assert done.stderr.splitlines() == [
        (
            "warning: config.toml: triggers.a.patterns[0]: can match the empty string, "
            "so it may match every line (got 'x*')"
        ),
        (
            "warning: config.toml: triggers.a.patterns[2]: slow: tried on every line, because "
            "it uses approximate matching (got '(?:fine){e<=1}')"
        ),
    ]


def test_slow_patterns_of_records_are_warned_about_with_their_path(tmp_path: Path):
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "app.toml").write_text(
        "[triggers.a]\ntype = 'log'\npaths = '/x'\nmultiline = '\\p{Lu}'\n"
        "patterns = ['Caused by: (.*)', '\\d+ \\w+']\n"
        "[triggers.b]\ntype = 'log'\npaths = '/x'\nmultiline = '^\\d'\npatterns = '\\w\\d'\n"
    )
    done = check(tmp_path, "")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        (
            "warning: config.d/app.toml: triggers.a.multiline: slow: tried on many lines, because "
            "it uses syntax that only the regex module supports (got '\\p{Lu}')"
        ),
        (
            "warning: config.d/app.toml: triggers.a.patterns[1]: slow: tried on every record, "
            "because no fixed text is in every match (got '\\d+ \\w+')"
        ),
        (
            "warning: config.d/app.toml: triggers.b.patterns: slow: tried on every record, because "
            "no fixed text is in every match (got '\\w\\d')"
        ),
    ]


def test_an_invalid_config_is_78_with_the_whole_report(tmp_path: Path):
    done = check(tmp_path, BAD, NOTIFYD_FO="1")
    assert (done.returncode, done.stdout) == (78, "")
    lines = done.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        "config.toml",
        "config.toml",
        "NOTIFYD_FO",
    ]


def test_a_missing_file_is_78(tmp_path: Path):
    done = check(tmp_path, "", NOTIFYD_CONFIG=str(tmp_path / "gone"))
    assert done.returncode == 0, "the file named on the command line counts"
    (tmp_path / "config.toml").unlink()
    environ = {"NOTIFYD_CONFIG": str(tmp_path / "gone")}
    done = forked.run(["check"], environ=environ, text=True)
    assert (done.returncode, done.stderr) == (
        78,
        f"{tmp_path}/gone: no such file (given by NOTIFYD_CONFIG)\n",
    )


def test_an_unreadable_journal_is_warned_about(tmp_path: Path):
    done = check(
        tmp_path, '[triggers.a]\ntype = "log"\njournal = "*"\npatterns = "x"', PATH="/none"
    )
    assert done.returncode == 0
    assert done.stderr.startswith("warning: journalctl is not installed, so the journal cannot be")


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file or directory"), ("a b", "spaces")]
)
def test_a_token_file_that_the_daemon_would_refuse_is_78(
    tmp_path: Path, content: str | None, words: str
):
    if content is not None:
        (tmp_path / "token").write_text(content)
        (tmp_path / "token").chmod(0o600)
    done = check(tmp_path, f'[api]\ntoken_file = "{tmp_path}/token"\n')
    assert (done.returncode, done.stdout) == (78, "")
    assert words in done.stderr


def test_a_token_that_is_still_awaited_is_warned_about(tmp_path: Path):
    done = check(tmp_path, "", SEND_TOKEN="")
    assert done.returncode == 0
    assert "warning: there is no send token: write it to" in done.stderr
    (tmp_path / "token").touch(0o600)
    done = check(tmp_path, f'[api]\ntoken_file = "{tmp_path}/token"\n')
    assert done.returncode == 0
    assert "is empty: write it there" in done.stderr


def test_json_holds_warnings_and_errors(tmp_path: Path):
    done = check(tmp_path, GOOD, "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (report["success"], report["errors"], report["triggers"]) == (True, [], ["a"])
    assert any("patterns[0]: can match the empty string" in line for line in report["warnings"])
    done = check(tmp_path, BAD, "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["success"], len(report["errors"])) == (78, False, 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_the_configuration_is_checked_as_another_user(public_directory: Path):
    tmp_path = public_directory
    (tmp_path / "token").write_text("onp_x")
    (tmp_path / "token").chmod(0o600)
    content = f'[api]\ntoken_file = "{tmp_path}/token"\n'
    assert check(tmp_path, content).returncode == 0
    done = check(tmp_path, content, "--user", "nobody")
    assert done.returncode == 78
    assert f"run `chown nobody {tmp_path}/token` as root" in done.stderr
    done = check(tmp_path, content, "--user", "no-such-user")
    assert (done.returncode, done.stderr) == (2, "--user: no such user: no-such-user\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_the_home_of_somebody_else_is_passed_over(public_directory: Path):
    public_directory.chmod(0o700)
    environ = {"HOME": str(public_directory), "PATH": os.environ["PATH"]}
    done = forked.run(["check"], environ=environ, text=True, uid=65534)
    assert "internal error" not in done.stderr
    assert "state.dir: user nobody cannot write to" in done.stderr


def test_a_directory_in_place_of_files_is_warned_about(tmp_path: Path):
    content = f"[triggers.a]\ntype = 'file'\npaths = ['{tmp_path}', '{tmp_path}/*']\n"
    done = check(tmp_path, content)
    assert f"paths[0]: is a directory; use '{tmp_path}/*' for the files in it" in done.stderr
    assert "paths[1]" not in done.stderr


def test_a_state_directory_that_the_daemon_could_not_use_is_78(tmp_path: Path):
    done = check(tmp_path, f'[state]\ndir = "{tmp_path}/config.toml/state"\n')
    assert done.returncode == 78
    assert done.stderr == (
        f"state.dir: {tmp_path}/config.toml is not a directory; set another path\n"
    )
    assert check(tmp_path, f'[state]\ndir = "{tmp_path}/new/state"\n').returncode == 0
    assert not (tmp_path / "new").exists()


def test_default_directories_are_checked_too(tmp_path: Path):
    (tmp_path / "file").touch()
    done = check(tmp_path, "", HOME=f"{tmp_path}/file")
    assert done.returncode == 78
    assert done.stderr == f"state.dir: {tmp_path}/file is not a directory; set another path\n"
    assert check(tmp_path, "", XDG_RUNTIME_DIR=f"{tmp_path}/file").returncode == 78
    assert check(tmp_path, "").returncode == 0


def test_a_database_of_a_newer_version_is_78_and_stays_as_it_is(tmp_path: Path):
    state = tmp_path / "state"
    state.mkdir()
    with closing(sqlite3.connect(state / "notifyd.db")) as database:
        database.execute("PRAGMA user_version = 999")
    before = {path.name: path.read_bytes() for path in state.iterdir()}
    done = check(tmp_path, f'[state]\ndir = "{state}"\n')
    assert (done.returncode, done.stdout) == (78, "")
    assert "was written by a newer notifyd (schema 999" in done.stderr
    assert {path.name: path.read_bytes() for path in state.iterdir()} == before
    run = subprocess.run(
        [sys.executable, "-m", "notifyd", "run", "--config", str(tmp_path / "config.toml")],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "SEND_TOKEN": "onp_x", "HOME": str(tmp_path)},
    )
    assert (run.returncode, run.stderr.splitlines()[-1:]) == (78, done.stderr.splitlines())


def test_a_database_that_is_damaged_or_current_is_no_mistake(tmp_path: Path):
    state = tmp_path / "state"
    state.mkdir()
    content = f'[state]\ndir = "{state}"\n'
    (state / "notifyd.db").write_bytes(b"not a database" * 100)
    assert check(tmp_path, content).returncode == 0
    (state / "notifyd.db").unlink()
    open_database(state / "notifyd.db").close()
    assert check(tmp_path, content).returncode == 0
    (state / "notifyd.db").unlink()
    (state / "notifyd.db").mkdir()
    done = check(tmp_path, content)
    assert done.returncode == 78
    assert "notifyd.db is not a regular file; move it away" in done.stderr


def test_a_tcp_address_that_is_taken_is_1_as_for_run(tmp_path: Path):
    (tmp_path / "token").write_text("a-token")
    (tmp_path / "token").chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        done = check(tmp_path, f'[listen]\ntcp = "{address}"\ntoken_file = "{tmp_path}/token"\n')
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"{address} is in use; stop the program that listens there")
        done = check(
            tmp_path, f'[listen]\ntcp = "{address}"\ntoken_file = "{tmp_path}/token"\n', "--json"
        )
        assert (done.returncode, len(json.loads(done.stdout)["errors"])) == (1, 1)


@pytest.mark.parametrize("is_socket", [True, False])
def test_something_else_at_the_path_of_the_socket_is_1_as_for_run(tmp_path: Path, is_socket):
    path = tmp_path / "s"
    content = f'[socket]\npath = "{path}"\n'
    with socket.socket(socket.AF_UNIX) as server:
        if is_socket:
            server.bind(str(path))
            server.listen()
        else:
            path.touch()
        done = check(tmp_path, content)
    assert (done.returncode, done.stdout) == (1, "")
    assert str(path) in done.stderr
    assert path.exists()
    if is_socket:  # now it is stale
        assert check(tmp_path, content).returncode == 0
        assert path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_directories_are_checked_for_the_user_of_the_daemon(public_directory: Path):
    content = f'[socket]\npath = "{public_directory}/notifyd.sock"\n'
    assert check(public_directory, content).returncode == 0
    done = check(public_directory, content, "--user", "nobody")
    assert done.returncode == 78
    assert f"socket.path: user nobody cannot write to {public_directory}" in done.stderr


@pytest.mark.parametrize("preset", ["python", "java", "go", "timestamp"])
def test_a_ready_made_multiline_draws_no_warning(preset, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    config = tmp_path / "config.toml"
    config.write_text(
        f'[triggers.t]\ntype = "log"\npaths = "/x"\npatterns = "ERROR"\nmultiline = "{preset}"\n'
    )
    assert main(["check", "--config", str(config)]) == 0
    assert "triggers.t.multiline" not in capsys.readouterr().err
