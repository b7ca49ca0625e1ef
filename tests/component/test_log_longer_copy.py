"""A log that is replaced by a longer copy of itself is read on; its history is not news."""

import shutil
import subprocess

import pytest

from support.logs import VirtualDaemon, append, reading_from_start, running, trigger

HISTORY = [f"ERROR yesterday {number}" for number in range(1000)]
REPLACEMENTS = {
    "rsync": "rsync -a source.log logs/app.log",
    "rsync with a backup": "rsync -a --backup source.log logs/app.log",
    "cp and mv": "cp source.log logs/new; mv logs/new logs/app.log",
    "an editor that keeps a backup": "mv logs/app.log logs/app.log~; cat source.log > logs/app.log",
}


def sh(script, cwd):
    subprocess.run(["sh", "-ec", script], cwd=cwd, check=True)


@pytest.fixture
def source(tmp_path):
    """The file that replaces the log, which has its history."""
    (tmp_path / "logs").mkdir()
    source = tmp_path / "source.log"
    append(source, *HISTORY)
    shutil.copy(source, tmp_path / "logs/app.log")
    return source


@pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")
async def test_rsync_of_one_more_line_reports_one_line(tmp_path, source):
    async with running(trigger(tmp_path / "logs/app.log")) as seen:
        for number in range(3):
            append(source, f"ERROR new {number}")
            sh(REPLACEMENTS["rsync"], tmp_path)
            await seen.until(lambda number=number: f"ERROR new {number}" in seen.lines)
    assert seen.lines == [f"ERROR new {number}" for number in range(3)]


@pytest.mark.parametrize("how", REPLACEMENTS)
@pytest.mark.parametrize("while_stopped", [False, True])
def test_a_longer_copy_is_read_on(tmp_path, source, how, while_stopped):
    if how.startswith("rsync") and shutil.which("rsync") is None:
        pytest.skip("needs rsync")
    daemon = VirtualDaemon({"t": reading_from_start(tmp_path / "logs/app.log")})
    for number in range(3):
        append(source, f"ERROR new {number}")
        sh(REPLACEMENTS[how], tmp_path)
        daemon.restart() if while_stopped else daemon.poll_all()
        append(source, f"ERROR appended {number}")
        append(tmp_path / "logs/app.log", f"ERROR appended {number}")
        daemon.poll_all()
    for _ in range(3):
        daemon.pass_time(60)
    expected = [f"ERROR {what} {number}" for number in range(3) for what in ("new", "appended")]
    assert daemon.lines() == [*HISTORY, *expected]


def test_lines_of_the_old_file_that_were_not_read_come_once(tmp_path, source):
    log = tmp_path / "logs/app.log"
    daemon = VirtualDaemon({"t": reading_from_start(log)})
    append(log, "unread")
    append(source, "unread", "new")
    with log.open("a") as writer:
        sh(REPLACEMENTS["cp and mv"], tmp_path)
        daemon.poll_all()
        writer.write("late\n")
    daemon.pass_time(2)
    assert sorted(daemon.lines()) == sorted([*HISTORY, "unread", "new", "late"])


def test_a_copy_of_equal_length_is_a_rewrite(tmp_path, source):
    daemon = VirtualDaemon({"t": reading_from_start(tmp_path / "logs/app.log")})
    sh(REPLACEMENTS["cp and mv"], tmp_path)
    daemon.poll_all()
    assert daemon.lines() == [*HISTORY, *HISTORY]


def test_a_next_generation_that_begins_alike_is_not_a_copy(tmp_path):
    log = tmp_path / "app.log"
    append(log, "header")
    daemon = VirtualDaemon({"t": reading_from_start(log)})
    log.rename(tmp_path / "app.log.1")
    append(log, "header", "line")
    daemon.poll_all()
    assert daemon.lines() == ["header", "header", "line"]
