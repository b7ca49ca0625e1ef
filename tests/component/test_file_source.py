import asyncio
import os
import shutil
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs
from watchfiles import Change

from notifyd.config.triggers import FileTriggerConfig
from notifyd.model.events import AlertState
from notifyd.sources.files import source as file
from notifyd.sources.files.source import FileSource
from notifyd.sources.files.write_access import is_open_for_writing
from support.logs import until
from support.recorder import Recorder


def source(recorder, excluded=(), **triggers):
    built = {
        name: FileTriggerConfig.model_validate({"debounce": "0s"} | keys)
        for name, keys in triggers.items()
    }
    return FileSource(built, dict(recorder.checkpoints), wall=time.time, excluded=excluded)


@asynccontextmanager
async def running(recorder, excluded=(), **triggers):
    watched = source(recorder, excluded, **triggers)
    task = asyncio.create_task(watched.run(recorder.emit))
    armed = {
        f"file:{name}": snapshot.terms.encode() for name, snapshot in watched._snapshots.items()
    }
    try:
        await recorder.until(lambda: armed.items() <= recorder.checkpoints.items())
        yield watched
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()


async def settled_after(recorder, folder):
    """Create a file that is reported last, after all earlier changes."""
    marker = folder / f"marker-{len(recorder.events)}"
    marker.touch()
    await recorder.until(lambda: f"created {marker}" in recorder.lines)


async def test_created_modified_and_deleted_files_are_reported(tmp_path):
    recorder = Recorder()
    events = ["created", "modified", "deleted"]
    async with running(recorder, up={"paths": [f"{tmp_path}/*"], "events": events}):
        file = tmp_path / "report.csv"
        file.touch()
        await recorder.until(lambda: recorder.lines == [f"created {file}"])
        file.write_text("more")
        await recorder.until(lambda: f"modified {file}" in recorder.lines)
        file.unlink()
        await recorder.until(lambda: f"deleted {file}" in recorder.lines)
    first = recorder.events[0]
    assert (first.trigger, first.path, dict(first.facts)) == ("up", str(file), {"event": "created"})
    assert not any(batch.rereadable for batch in recorder.batches)
    assert set(recorder.checkpoints) == {"file:up"}


async def test_a_modification_is_reported_only_if_the_trigger_asks_for_it(tmp_path):
    recorder = Recorder()
    file = tmp_path / "a"
    file.touch()
    async with running(recorder, up={"paths": [f"{tmp_path}/*"]}):
        file.write_text("more")
        await settled_after(recorder, tmp_path)
    assert f"modified {file}" not in recorder.lines


async def test_a_file_that_exists_when_its_trigger_is_armed_is_not_reported(tmp_path):
    (tmp_path / "old").touch()
    recorder = Recorder()
    async with running(recorder, up={"paths": [f"{tmp_path}/*"]}):
        await settled_after(recorder, tmp_path)
    assert not any("old" in line for line in recorder.lines)
    assert f"file:up:{tmp_path}/old" in recorder.checkpoints


async def test_changes_during_downtime_are_reported_at_the_next_start(tmp_path):
    recorder = Recorder()
    keys = {"paths": [f"{tmp_path}/**"], "events": ["created", "modified", "deleted"]}
    for name in ("kept", "changed", "removed"):
        (tmp_path / name).touch()
    async with running(recorder, up=keys):
        pass
    assert recorder.lines == []
    (tmp_path / "changed").write_text("x")
    (tmp_path / "removed").unlink()
    (tmp_path / "new").touch()
    async with running(recorder, up=keys):
        await recorder.until(lambda: len(recorder.events) >= 3)
    assert sorted(recorder.lines) == [
        f"created {tmp_path}/new",
        f"deleted {tmp_path}/removed",
        f"modified {tmp_path}/changed",
    ]


async def test_a_trigger_with_other_paths_is_armed_again(tmp_path):
    for name in ("a.txt", "b.log"):
        (tmp_path / name).touch()
    recorder = Recorder()
    async with running(recorder, up={"paths": [f"{tmp_path}/*.txt"]}):
        pass
    async with running(recorder, up={"paths": [f"{tmp_path}/*.log", f"{tmp_path}/marker-*"]}):
        await settled_after(recorder, tmp_path)
        await recorder.until(lambda: f"file:up:{tmp_path}/b.log" in recorder.checkpoints)
    assert recorder.lines == [f"created {tmp_path}/marker-0"]
    assert f"file:up:{tmp_path}/a.txt" not in recorder.checkpoints


async def test_checkpoints_of_removed_triggers_are_deleted(tmp_path):
    recorder = Recorder({"file:old": "{}", "file:old:/x": "[0,0,0]"})
    async with running(recorder, up={"paths": [f"{tmp_path}/*"]}):
        await recorder.until(lambda: set(recorder.checkpoints) == {"file:up"})


async def test_a_damaged_state_is_reported_once_and_the_others_are_restored(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    recorder, keys = Recorder(), {"paths": [f"{tmp_path}/?"]}
    async with running(recorder, up=keys):
        pass
    recorder.checkpoints[f"file:up:{tmp_path}/a"] = '[1,"x",3]'
    (tmp_path / "b").unlink()
    for problems in (1, 0):
        with capture_logs() as logs:
            async with running(recorder, up=keys) as watched:
                await recorder.until(lambda: len(recorder.events) == 2)
                await until(lambda watched=watched: watched._watched_dirs is not None)
                await until(lambda n=problems, logs=logs: len(logs) >= n)
            messages = watched.health().messages
        assert len(messages) == problems
        assert [entry["event"] for entry in logs] == messages
        assert all(
            message.startswith(f"discarded the stored state of {tmp_path}/a for trigger up: ")
            for message in messages
        )
    assert sorted(recorder.lines) == [f"created {tmp_path}/a", f"deleted {tmp_path}/b"]


@pytest.mark.parametrize(
    ("damage", "problems"),
    [
        ("x", 1),
        ("[]", 1),
        ('{"format": 2}', 1),
        ('{"paths": ["/other"]}', 1),
        ('{"paths": ["/other"], "ignore": 7}', 1),
        ('{"paths": ["/other"], "ignore": []}', 0),
    ],
)
async def test_a_trigger_with_damaged_terms_is_armed_again(tmp_path, damage, problems):
    recorder, keys = Recorder(), {"paths": [f"{tmp_path}/?"]}
    recorder.checkpoints["file:up"] = damage
    (tmp_path / "a").touch()
    async with running(recorder, up=keys) as watched:
        assert len(watched.health().messages) == problems
    assert recorder.events == []


async def test_a_file_replaced_by_a_rename_is_modified(tmp_path):
    recorder = Recorder()
    file = tmp_path / "config"
    file.write_text("old")
    keys = {"paths": [str(file)], "events": ["created", "modified", "deleted"]}
    async with running(recorder, up=keys):
        for text in ("new", "again"):
            (tmp_path / "config.tmp").write_text(text)
            (tmp_path / "config.tmp").replace(file)
            count = len(recorder.events)
            await recorder.until(lambda n=count: len(recorder.events) > n)
    assert recorder.lines == [f"modified {file}"] * 2


async def test_a_directory_created_later_is_found_with_its_files(tmp_path):
    recorder = Recorder()
    deep = tmp_path / "not" / "yet" / "there"
    async with running(recorder, up={"paths": [f"{deep}/**/*.log"]}):
        for round_ in range(2):
            (deep / "sub").mkdir(parents=True)
            (deep / "sub" / f"{round_}.log").touch()
            await recorder.until(lambda n=round_: f"created {deep}/sub/{n}.log" in recorder.lines)
            shutil.rmtree(tmp_path / "not")
            await recorder.until(lambda n=round_: f"deleted {deep}/sub/{n}.log" in recorder.lines)
    assert len(recorder.lines) == 4


async def test_the_files_of_a_directory_are_reported_when_it_is_moved_in_and_out(tmp_path):
    recorder = Recorder()
    outside, inside = tmp_path / "outside", tmp_path / "in" / "side"
    outside.mkdir()
    inside.parent.mkdir()
    (outside / "a").touch()
    async with running(recorder, up={"paths": [f"{tmp_path}/in/**/a"]}):
        outside.rename(inside)
        await recorder.until(lambda: recorder.lines == [f"created {inside}/a"])
        inside.rename(outside)
        await recorder.until(lambda: f"deleted {inside}/a" in recorder.lines)


async def test_temporary_names_that_vanish_do_not_count(tmp_path):
    recorder = Recorder()
    watched = source(recorder, up={"paths": [f"{tmp_path}/**"]})
    watched._snapshots["up"].directories = {str(tmp_path)}
    final, temporary = str(tmp_path / "data.csv"), str(tmp_path / ".data.csv.Xa81")
    (tmp_path / "data.csv").touch()
    hints = {(Change.added, temporary), (Change.deleted, temporary), (Change.added, final)}
    await watched._follow(hints, recorder.emit)
    assert recorder.lines == [f"created {final}"]


async def test_directories_count_only_where_they_are_asked_for(tmp_path):
    recorder = Recorder()
    keys = {"files": {"paths": [f"{tmp_path}/*"]}, "runs": {"paths": [f"{tmp_path}/*/"]}}
    async with running(recorder, **keys):
        (tmp_path / "run-1").mkdir()
        await recorder.until(lambda: f"created {tmp_path}/run-1" in recorder.lines)
        await settled_after(recorder, tmp_path)
        (tmp_path / "run-1").rmdir()
        await recorder.until(lambda: f"deleted {tmp_path}/run-1" in recorder.lines)
        await settled_after(recorder, tmp_path)
    directories = [event.trigger for event in recorder.events if event.path.endswith("run-1")]
    assert directories == ["runs", "runs"]
    assert {event.trigger for event in recorder.events} == {"files", "runs"}


async def test_a_known_directory_of_an_earlier_version_is_forgotten_silently(tmp_path):
    recorder = Recorder()
    (tmp_path / "sub").mkdir()
    keys = {"paths": [f"{tmp_path}/*"]}
    terms = source(recorder, up=keys)._snapshots["up"].terms.encode()
    known = f"file:up:{tmp_path}/sub"
    recorder.checkpoints = {"file:up": terms, known: "[0,0,5]"}
    async with running(recorder, up=keys):
        await recorder.until(lambda: known not in recorder.checkpoints)
        await settled_after(recorder, tmp_path)
    assert len(recorder.lines) == 1


async def test_a_file_has_not_settled_while_somebody_may_write_to_it(tmp_path):
    recorder = Recorder()
    keys = {"paths": [f"{tmp_path}/*"], "settle": "50ms"}
    async with running(recorder, up=keys):
        with (tmp_path / "upload").open("w") as writer:
            if not is_open_for_writing(str(tmp_path / "upload")):
                pytest.skip("the file system has no leases")
            writer.write("half")
            writer.flush()
            for number in range(3):  # each would be reported after the upload
                (tmp_path / f"other-{number}").touch()
                await recorder.until(
                    lambda n=number: f"created {tmp_path}/other-{n}" in recorder.lines
                )
            assert f"created {tmp_path}/upload" not in recorder.lines
        await recorder.until(lambda: f"created {tmp_path}/upload" in recorder.lines)
    assert len(recorder.lines) == 4


async def test_a_trigger_reports_that_nothing_has_changed_for_long(tmp_path):
    recorder = Recorder()
    keys = {"paths": [f"{tmp_path}/*"], "stale": "200ms", "events": []}
    async with running(recorder, up=keys):
        file = tmp_path / "a"
        silence, changes = f"no change in {tmp_path}/* for 200ms", f"new changes in {tmp_path}/*"
        await recorder.until(lambda: recorder.lines == [silence])
        file.touch()
        await recorder.until(lambda: recorder.lines[:2] == [silence, changes])
        await recorder.until(lambda: recorder.lines[:3] == [silence, changes, silence])
        file.write_text("more")
        await recorder.until(lambda: recorder.lines[:4] == [silence, changes] * 2)
    states = [event.alert_state for event in recorder.events[:4]]
    assert states == [AlertState.FIRING, AlertState.RESOLVED] * 2


async def test_what_gitignore_leaves_out_is_not_reported(tmp_path):
    recorder = Recorder()
    (tmp_path / ".gitignore").write_text("*.tmp\nbuild/\nmarker-*\n")
    async with running(recorder, up={"paths": [f"{tmp_path}/**"], "gitignore": True}):
        (tmp_path / "build").mkdir()
        (tmp_path / "build" / "x").touch()
        (tmp_path / "a.tmp").touch()
        (tmp_path / "a.py").touch()
        await recorder.until(lambda: f"created {tmp_path}/a.py" in recorder.lines)
        (tmp_path / ".gitignore").write_text("build/\n")
        await recorder.until(lambda: f"file:up:{tmp_path}/a.tmp" in recorder.checkpoints)
        (tmp_path / "b.tmp").touch()
        await recorder.until(lambda: f"created {tmp_path}/b.tmp" in recorder.lines)
    assert recorder.lines == [f"created {tmp_path}/{name}" for name in ("a.py", "b.tmp")]


async def test_ignored_and_excluded_paths_are_never_reported(tmp_path):
    recorder = Recorder()
    own = tmp_path / "state"
    for folder in ("state", "node_modules", "src"):
        (tmp_path / folder).mkdir()
    keys = {"paths": [f"{tmp_path}/**"], "ignore": ["/**/*.swp", f"{tmp_path}/node_modules"]}
    async with running(recorder, (own,), up=keys):
        for name in ("state/db", "node_modules/x", "src/a.swp", "src/.hidden"):
            (tmp_path / name).touch()
        await settled_after(recorder, tmp_path)
        await recorder.until(lambda: len(recorder.lines) >= 2)
    assert f"created {tmp_path}/src/.hidden" in recorder.lines
    assert len(recorder.lines) == 2


async def test_settle_waits_until_a_file_is_no_longer_written(tmp_path):
    recorder = Recorder()
    file = tmp_path / "upload"
    keys = {"paths": [f"{tmp_path}/*"], "settle": "500ms"}
    async with running(recorder, up=keys):
        started = time.monotonic()
        with file.open("w") as writer:
            for _ in range(6):
                writer.write("x" * 100)
                writer.flush()
                await asyncio.sleep(0.05)  # several writes within `settle`
        (tmp_path / "temporary").touch()
        (tmp_path / "temporary").unlink()
        await recorder.until(lambda: recorder.lines == [f"created {file}"])
        assert time.monotonic() - started >= 0.75
        file.write_text("new")
        await recorder.until(lambda: f"modified {file}" in recorder.lines)
        file.unlink()
        await recorder.until(lambda: f"deleted {file}" in recorder.lines)
    assert len(recorder.lines) == 3


async def test_names_that_are_not_utf8_are_reported_and_stored(tmp_path):
    recorder = Recorder()
    keys = {"paths": [f"{tmp_path}/*"]}
    name = os.fsencode(tmp_path) + b"/caf\xe9"
    async with running(recorder, up=keys):
        os.close(os.open(name, os.O_CREAT))
        await recorder.until(lambda: recorder.lines == [f"created {tmp_path}/café"])
        assert all(text.isprintable() for text in recorder.checkpoints)
        (tmp_path / "after").touch()
        await recorder.until(lambda: f"created {tmp_path}/after" in recorder.lines)
    async with running(recorder, up=keys):
        os.remove(name)  # noqa: PTH107 - the name is bytes
        await recorder.until(lambda: recorder.lines[-1] == f"deleted {tmp_path}/café")


async def test_every_file_of_a_flood_is_reported(tmp_path):
    recorder = Recorder()
    async with running(recorder, up={"paths": [f"{tmp_path}/*/*"]}):
        for folder in range(10):
            (tmp_path / str(folder)).mkdir()
            for number in range(300):
                (tmp_path / str(folder) / str(number)).touch()
        await recorder.until(lambda: len(recorder.events) >= 3000)
    assert len(set(recorder.lines)) == 3000 == len(recorder.lines)
    assert max(len(batch.events) for batch in recorder.batches) <= 500


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be another user for a while")
@pytest.mark.parametrize("pattern", ["**", "closed/sub/deep/*"])
async def test_an_unreadable_directory_is_a_problem_until_it_is_readable(
    tmp_path, monkeypatch, pattern
):
    monkeypatch.setattr(file, "UNREADABLE_INTERVAL", 0.05)
    closed = tmp_path / "closed"
    (closed / "sub" / "deep").mkdir(parents=True)
    closed.chmod(0)
    for each in [tmp_path, *tmp_path.parents][:-2]:
        each.chmod(each.stat().st_mode | 0o055)
    recorder = Recorder()
    os.seteuid(12345)
    try:
        async with running(recorder, up={"paths": [f"{tmp_path}/{pattern}"]}) as watched:
            await recorder.until(lambda: len(watched.health().problems) == 1)
            [message] = watched.health().messages
            assert str(closed) in message
            assert "permission denied; run setfacl -m u:12345:" in message
            os.seteuid(0)
            closed.chmod(0o755)
            os.seteuid(12345)
            await recorder.until(lambda: not watched.health().problems)
            os.seteuid(0)
            (closed / "sub" / "deep" / "new").touch()
            os.seteuid(12345)
            await recorder.until(lambda: f"created {closed}/sub/deep/new" in recorder.lines)
    finally:
        os.seteuid(0)


async def test_two_triggers_share_one_directory(tmp_path):
    recorder = Recorder()
    async with running(
        recorder, a={"paths": [f"{tmp_path}/*"]}, b={"paths": [f"{tmp_path}/*"]}
    ) as watched:
        (tmp_path / "x").touch()
        await recorder.until(lambda: len(recorder.events) >= 2)
        assert watched.health().watching == 2
    assert sorted(event.trigger for event in recorder.events) == ["a", "b"]


WITHOUT_WATCHES = """
import asyncio, pathlib, sys, time
from notifyd.config.triggers import FileTriggerConfig
from notifyd.model.events import AlertState
from notifyd.sources.files import source as file
from notifyd.sources.files.source import FileSource
from notifyd.sources.files.write_access import is_open_for_writing

file.POLL_INTERVAL = 0.1

async def main(folder):
    batches = asyncio.Queue()
    trigger = FileTriggerConfig.model_validate({"paths": [f"{folder}/*"]})
    source = FileSource({"up": trigger}, {}, wall=time.time)
    task = asyncio.create_task(source.run(batches.put))
    while "file:up" not in (await batches.get()).checkpoints:
        pass
    (folder / "new").touch()
    while not (events := (await batches.get()).events):
        pass
    print(*source.health().messages, events[0].line, sep="\\n")
    task.cancel()
    await asyncio.wait([task])

asyncio.run(asyncio.wait_for(main(pathlib.Path(sys.argv[1])), 45))
"""


@pytest.mark.parametrize(
    ("limit", "sysctl"),
    [
        ("max_inotify_watches", "fs.inotify.max_user_watches"),
        ("max_inotify_instances", "fs.inotify.max_user_instances"),
    ],
)
def test_without_inotify_files_are_polled_and_health_says_why(tmp_path, limit, sysctl):
    # The limits of a new user namespace affect no other process.
    namespace = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*namespace, "true"], check=False, capture_output=True).returncode:
        pytest.skip("user namespaces are not permitted here")
    lower = f'echo 0 > /proc/sys/user/{limit} && exec "$@"'
    command = [*namespace, "sh", "-c", lower, "sh", sys.executable, "-c", WITHOUT_WATCHES, tmp_path]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    problem, line = done.stdout.splitlines()
    assert f"sysctl {sysctl}" in problem
    assert line == f"created {tmp_path}/new"


async def test_a_gap_between_the_clocks_causes_a_sweep(tmp_path):
    recorder, ahead = Recorder(), 0.0
    keys = {"paths": [f"{tmp_path}/in/*"], "debounce": "0s"}
    (tmp_path / "in").mkdir()
    trigger = FileTriggerConfig.model_validate(keys)
    watched = FileSource({"up": trigger}, {}, wall=lambda: time.time() + ahead)
    sweeps = []
    sweep = watched._snapshots["up"].sweep
    watched._snapshots["up"].sweep = lambda: sweeps.append(1) or sweep()
    task = asyncio.create_task(watched.run(recorder.emit))
    await recorder.until(lambda: "file:up" in recorder.checkpoints)
    (tmp_path / "in" / "a").touch()
    await recorder.until(lambda: len(recorder.events) == 1)
    before, ahead = len(sweeps), 60.0
    (tmp_path / "in" / "b").touch()
    await recorder.until(lambda: len(recorder.events) == 2)
    (tmp_path / "in" / "c").touch()
    await recorder.until(lambda: len(recorder.events) == 3)
    await until(lambda: len(sweeps) > before)  # a slow sweep is followed by a pause
    task.cancel()
    await asyncio.wait([task])
