"""The log source as it runs, woken by the kernel, on files that appear, move and disappear."""

import errno
import os
import resource
from pathlib import Path

from asyncinotify import Inotify

from notifyd.sources.logs.discovery.inotify import InotifyWatcher
from support.logs import append, running, trigger


async def test_a_line_is_an_event_with_its_trigger_path_fields_and_pattern(tmp_path):
    log = tmp_path / "app.log"
    append(log, "ERROR before")
    errors = trigger(
        log,
        patterns=["CRITICAL", "(?P<level>ERROR) (?P<msg>.*)", "(?P<level>WARN)(?P<extra> .*)?"],
        exclude=["healthz"],
    )
    async with running({"errors": errors}) as seen:
        append(log, "ERROR disk full", "nothing", "ERROR healthz", "WARN")
        await seen.until(lambda: len(seen.events) == 2)
    first, second = seen.events
    assert (first.trigger, first.line, first.path) == ("errors", "ERROR disk full", str(log))
    assert first.fields == {"level": "ERROR", "msg": "disk full"}
    assert first.facts == {"pattern": "1"}
    assert second.fields == {"level": "WARN", "extra": ""}
    assert all(batch.rereadable for batch in seen.batches)


async def test_several_triggers_on_one_file_have_one_checkpoint(tmp_path):
    log = tmp_path / "app.log"
    append(log)
    async with running({"a": trigger(log, patterns="x"), "b": trigger(log, patterns="y")}) as seen:
        append(log, "x y", "y")
        await seen.until(lambda: len(seen.events) == 3)
        assert seen.source.health().watching == 1
    assert [event.trigger for event in seen.events] == ["a", "b", "b"]
    assert len([key for key in seen.checkpoints if key.startswith("log:file:")]) == 1


async def test_directories_and_files_that_appear_later_are_found(tmp_path):
    async with running(trigger(tmp_path / "a" / "b" / "*" / "app.log")) as seen:
        for name in ("one", "two"):
            folder = tmp_path / "a" / "b" / name
            folder.mkdir(parents=True)
            append(folder / "app.log", name)
            await seen.until(lambda name=name: name in seen.lines)
        append(tmp_path / "a" / "b" / "one" / "app.log", "more")
        await seen.until(lambda: seen.lines == ["one", "two", "more"])


async def test_a_recursive_pattern_follows_new_directories(tmp_path):
    async with running(trigger(tmp_path / "**" / "*.log")) as seen:
        append(tmp_path / "top.log", "top")
        (tmp_path / "x" / ".hidden" / "z").mkdir(parents=True)
        append(tmp_path / "x" / ".hidden" / "z" / "deep.log", "deep")
        await seen.until(lambda: sorted(seen.lines) == ["deep", "top"])


async def test_a_directory_that_is_removed_and_created_again_is_followed(tmp_path):
    folder = tmp_path / "logs"
    log = folder / "app.log"
    folder.mkdir()
    async with running(trigger(log)) as seen:
        append(log, "one")
        await seen.until(lambda: seen.lines == ["one"])
        folder.rename(tmp_path / "gone")
        folder.mkdir()
        append(log, "two")
        await seen.until(lambda: seen.lines == ["one", "two"])
        append(log, "three")
        await seen.until(lambda: seen.lines == ["one", "two", "three"])


async def test_rename_rotation_with_a_late_writer(tmp_path):
    log = tmp_path / "app.log"
    (tmp_path / "old").mkdir()
    append(log)
    async with running(trigger(log)) as seen:
        with log.open("ab", buffering=0) as writer:
            writer.write(b"one\n")
            log.rename(tmp_path / "old" / "app.log-1")
            writer.write(b"two\n")
            append(log, "three")
            await seen.until(lambda: sorted(seen.lines) == ["one", "three", "two"])
            writer.write(b"late\n")
            await seen.until(lambda: seen.lines[-1] == "late")


async def test_copytruncate(tmp_path):
    log = tmp_path / "app.log"
    append(log)
    async with running(trigger(log)) as seen:
        append(log, "one", "two")
        await seen.until(lambda: seen.lines == ["one", "two"])
        os.truncate(log, 0)
        append(log, "three and much longer than before")
        await seen.until(lambda: len(seen.lines) == 3)
    assert seen.lines[2] == "three and much longer than before"


async def test_a_link_to_another_target_is_followed(tmp_path):
    for release in ("one", "two"):
        (tmp_path / release).mkdir()
        append(tmp_path / release / "app.log")
    current = tmp_path / "current"
    current.symlink_to("one")
    async with running(trigger(current / "app.log")) as seen:
        append(tmp_path / "one" / "app.log", "first")
        await seen.until(lambda: seen.lines == ["first"])
        fresh = tmp_path / "fresh"
        fresh.symlink_to("two")
        fresh.rename(current)
        append(tmp_path / "two" / "app.log", "second")
        await seen.until(lambda: seen.lines == ["first", "second"])
    assert seen.events[0].path == str(current / "app.log")


async def test_a_link_to_a_file_that_appears_later_is_followed(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "data").mkdir()
    link = tmp_path / "logs" / "app.log"
    link.symlink_to(tmp_path / "data" / "real.log")
    async with running(trigger(link)) as seen:
        append(tmp_path / "data" / "real.log", "one")
        await seen.until(lambda: seen.lines == ["one"])
        append(tmp_path / "data" / "real.log", "two")
        await seen.until(lambda: seen.lines == ["one", "two"])


async def test_after_a_restart_reading_continues_at_the_commit(tmp_path):
    log = tmp_path / "app.log"
    append(log)
    async with running(trigger(log)) as seen:
        append(log, "one")
        await seen.until(lambda: seen.lines == ["one"])
    append(log, "two")
    log.rename(tmp_path / "app.log.1")
    append(log, "three")
    async with running(trigger(log), checkpoints=seen.checkpoints) as again:
        await again.until(lambda: again.lines == ["two", "three"])


async def test_the_first_batch_follows_the_first_scan(tmp_path):
    log = tmp_path / "app.log"
    append(log)
    async with running(trigger(log)) as seen:
        await seen.until(lambda: seen.batches)
    async with running(trigger(log), checkpoints=seen.checkpoints) as again:
        await again.until(lambda: again.batches)
    assert (again.batches[0].events, again.batches[0].checkpoints) == ((), {})


async def test_without_inotify_files_are_polled_and_the_sysctl_is_named(tmp_path):
    def refuse(**_):
        raise OSError(errno.EMFILE, "too many instances")

    log = tmp_path / "app.log"
    append(log)
    async with running(trigger(log), watch=lambda: InotifyWatcher(refuse)) as seen:
        assert "fs.inotify.max_user_instances" in seen.source.health().messages[0]
        append(log, "one")
        await seen.until(lambda: seen.lines == ["one"])


async def test_at_the_limit_of_watches_files_are_polled_and_the_sysctl_is_named(tmp_path):
    class Full(Inotify):
        def add_watch(self, *_):
            raise OSError(errno.ENOSPC, "no space left on device")

    log = tmp_path / "app.log"
    append(log)
    async with running(trigger(log), watch=lambda: InotifyWatcher(Full)) as seen:
        assert "fs.inotify.max_user_watches" in seen.source.health().messages[0]
        append(log, "one")
        await seen.until(lambda: seen.lines == ["one"])


async def test_a_raised_limit_of_watches_is_noticed_and_hints_arrive_again(tmp_path):
    limit = tmp_path / "limit"
    limit.touch()

    class Limited(Inotify):
        def add_watch(self, *words):
            if limit.exists():
                raise OSError(errno.ENOSPC, "no space left on device")
            return super().add_watch(*words)

    log = tmp_path / "logs" / "app.log"
    log.parent.mkdir()
    append(log)
    async with running(trigger(log), watch=lambda: InotifyWatcher(Limited)) as seen:
        await seen.until(lambda: seen.source.health().problems)
        limit.unlink()
        await seen.until(lambda: not seen.source.health().problems)
        append(log, "one")
        await seen.until(lambda: seen.lines == ["one"])  # the next scan is far off


async def test_a_change_that_the_kernel_did_not_report_is_found_by_a_scan(tmp_path):
    class Deaf(Inotify):
        def sync_get(self):
            super().sync_get()

    log = tmp_path / "app.log"
    append(log)
    async with running(
        trigger(log), watch=lambda: InotifyWatcher(Deaf), scan_interval=0.05
    ) as seen:
        append(log, "one")
        await seen.until(lambda: seen.lines == ["one"])


async def test_an_idle_source_does_not_wake_up(tmp_path):
    for number in range(100):
        append(tmp_path / f"{number}.log", "line")
    log = tmp_path / "7.log"
    triggers = {f"t{n}": trigger(tmp_path / "*.log", patterns=f"never {n}") for n in range(10)}
    async with running(triggers) as seen:
        append(log, "wakes it once, and once more to commit the position")
        await seen.until(lambda: len(seen.batches) >= 2)
        await seen.executor.until_idle(1.2)


async def test_a_burst_does_not_fill_the_memory(tmp_path):
    log = tmp_path / "app.log"
    line = b"2024-01-01T00:00:00 host app[1]: an ordinary line of a log that nobody waits for\n"
    append(log)
    async with running(trigger(log, patterns=r"(?P<n>ERROR \d+)")) as seen:
        append(log, line * 10_000, "ERROR 0")
        await seen.until(lambda: len(seen.events) == 1)
        before = resident()
        append(log, *[line * 10_000] * 30, "ERROR 1")
        await seen.until(lambda: len(seen.events) == 2)
        assert resident() - before < 20 << 20


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
