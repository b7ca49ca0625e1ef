"""Logs whose directory, ancestor, link or file system is replaced are found long before a scan."""

import os
import subprocess

import pytest

from notifyd.sources import missing_paths
from support.logs import append, running, trigger, until

mounting = pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount a file system")


def sh(script, cwd):
    subprocess.run(["sh", "-ec", script], cwd=cwd, check=True)


@pytest.mark.parametrize("pattern", ["logs/app.log", "logs/*.log", "**/app.log"])
async def test_a_directory_that_is_deleted_and_made_again_is_found_each_time(tmp_path, pattern):
    sh("mkdir logs; echo start > logs/app.log", tmp_path)
    with (tmp_path / "logs/app.log").open("a") as held_by_the_application:
        async with running(trigger(tmp_path / pattern)) as seen:
            for number in range(4):
                line = f"ERROR n={number}"
                sh(f"rm -rf logs; mkdir logs; echo '{line}' > logs/app.log", tmp_path)
                await seen.until(lambda line=line: line in seen.lines)
                append(tmp_path / "logs/app.log", f"more {number}")
                await seen.until(lambda number=number: f"more {number}" in seen.lines)
        held_by_the_application.write("unseen")
    assert len(seen.lines) == 8


async def test_a_prepared_directory_that_is_renamed_in_is_found(tmp_path):
    sh("mkdir -p app/log; echo start > app/log/app.log", tmp_path)
    async with running(trigger(tmp_path / "app/log/app.log")) as seen:
        sh("mkdir -p new/log; echo first > new/log/app.log; mv app old; mv new app", tmp_path)
        await seen.until(lambda: seen.lines == ["first"])
        append(tmp_path / "app/log/app.log", "second")
        await seen.until(lambda: seen.lines == ["first", "second"])


async def test_an_ancestor_that_is_replaced_before_the_log_is_written_is_found(tmp_path):
    sh("mkdir -p app/log; echo start > app/log/x.log; mkdir -p app.new/log", tmp_path)
    async with running(trigger(tmp_path / "app/log/x.log")) as seen:
        sh("mv app app.old; mv app.new app; sleep 0.3; echo first > app/log/x.log", tmp_path)
        await seen.until(lambda: seen.lines == ["first"])


@pytest.mark.parametrize("pattern", ["current/log/x.log", "current/log/*.log", "*/log/x.log"])
@pytest.mark.parametrize("switch", ["ln -sfn v2 current", "rm current; ln -s v2 current"])
async def test_a_directory_link_that_is_switched_before_the_log_exists(tmp_path, pattern, switch):
    sh("mkdir -p v1/log v2; echo start > v1/log/x.log; ln -s v1 current", tmp_path)
    async with running(trigger(tmp_path / pattern)) as seen:
        sh(f"{switch}; sleep 0.3; mkdir v2/log; sleep 0.3; echo first > v2/log/x.log", tmp_path)
        await seen.until(lambda: "first" in seen.lines)
        sh("echo second >> v2/log/x.log", tmp_path)
        await seen.until(lambda: "second" in seen.lines)


async def test_the_target_of_a_link_that_is_replaced_is_found(tmp_path):
    sh("mkdir -p data/v1 logs; echo start > data/v1/x.log", tmp_path)
    sh("ln -s ../data/v1/x.log logs/x.log", tmp_path)
    async with running(trigger(tmp_path / "logs/x.log")) as seen:
        for number in range(2):
            sh(f"mv data/v1 data/old{number}; mkdir data/v1; sleep 0.2", tmp_path)
            append(tmp_path / "data/v1/x.log", f"n={number}")
            await seen.until(lambda number=number: f"n={number}" in seen.lines)


@mounting
@pytest.mark.parametrize("pattern", ["m/app.log", "m/logs/app.log", "link/app.log", "**/app.log"])
async def test_a_file_system_mounted_over_a_watched_directory_is_found(tmp_path, pattern):
    sh("mkdir -p m/logs; echo start | tee m/app.log > m/logs/app.log; ln -s m link", tmp_path)
    log = tmp_path / ("m/logs/app.log" if "logs" in pattern else "m/app.log")
    async with running(trigger(tmp_path / pattern)) as seen:
        sh("mount -t tmpfs none m; mkdir m/logs", tmp_path)
        try:
            append(log, "above")
            await seen.until(lambda: "above" in seen.lines)
            append(log, "more above")
            await seen.until(lambda: "more above" in seen.lines)
        finally:
            sh("umount -l m", tmp_path)
        append(log, "below")
        await seen.until(lambda: "below" in seen.lines)


async def test_a_log_that_vanished_is_awaited_until_it_appears_again(tmp_path, monkeypatch):
    monkeypatch.setattr(missing_paths, "MISSING_SECONDS", 0.5)
    sh("mkdir -p a/b/logs; echo start > a/b/logs/app.log", tmp_path)
    log = tmp_path / "a/b/logs/app.log"
    async with running(trigger(log)) as seen:
        sh("rm -r a", tmp_path)
        await until(lambda: seen.source.health().missing_paths == (str(log),))
        sh(
            "mkdir a; sleep 0.2; mkdir -p a/b/logs; sleep 0.2; echo back > a/b/logs/app.log",
            tmp_path,
        )
        await seen.until(lambda: seen.lines == ["back"])
        assert seen.source.health().missing_paths == ()


async def test_other_entries_of_an_ancestor_cause_no_work(tmp_path):
    sh("mkdir logs; echo start > logs/app.log", tmp_path)
    async with running(trigger(tmp_path / "logs/app.log")) as seen:
        append(tmp_path / "logs/app.log", "one")
        await seen.until(lambda: seen.lines == ["one"])
        batches = len(seen.batches)
        sh("for n in 1 2 3 4 5 6 7 8 9; do echo x > other$n; rm other$n; done", tmp_path)
        append(tmp_path / "logs/app.log", "two")
        await seen.until(lambda: seen.lines == ["one", "two"])
    assert len(seen.batches) <= batches + 2
