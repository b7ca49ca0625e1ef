"""Files whose directory, ancestor, link or file system is replaced are found before a sweep."""

import asyncio
import os
import subprocess
import time
from contextlib import asynccontextmanager

import pytest

from notifyd.config.triggers import FileTriggerConfig
from notifyd.sources import missing_paths
from notifyd.sources.files.source import FileSource
from support.logs import until
from support.recorder import Recorder

mounting = pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount a file system")


def sh(script, cwd):
    subprocess.run(["sh", "-ec", script], cwd=cwd, check=True)


@asynccontextmanager
async def running(pattern):
    """Run a source with one trigger; yield its recorder once it watches."""
    recorder = Recorder()
    trigger = FileTriggerConfig.model_validate(
        {"paths": [str(pattern)], "debounce": "0s", "events": ["created"]}
    )
    recorder.source = FileSource({"t": trigger}, {}, wall=time.time)
    task = asyncio.create_task(recorder.source.run(recorder.emit))
    try:
        await recorder.until(lambda: "file:t" in recorder.checkpoints)
        yield recorder
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()


async def test_a_directory_that_is_deleted_and_made_again_is_found_each_time(tmp_path):
    sh("mkdir logs; echo start > logs/held", tmp_path)
    with (tmp_path / "logs/held").open("a"):
        async with running(tmp_path / "logs/*") as seen:
            for number in range(4):
                sh(f"rm -rf logs; mkdir logs; sleep 0.3; echo x > logs/new{number}", tmp_path)
                path = tmp_path / f"logs/new{number}"
                await seen.until(lambda path=path: f"created {path}" in seen.lines)


async def test_an_ancestor_that_is_replaced_is_found(tmp_path):
    sh("mkdir -p app/out app.new/out", tmp_path)
    async with running(tmp_path / "app/out/*") as seen:
        sh("mv app app.old; mv app.new app; sleep 0.3; echo x > app/out/new", tmp_path)
        await seen.until(lambda: f"created {tmp_path}/app/out/new" in seen.lines)


async def test_a_directory_link_that_is_switched_before_the_file_exists(tmp_path):
    sh("mkdir -p v1/out v2; ln -s v1 current", tmp_path)
    async with running(tmp_path / "current/out/*") as seen:
        sh("ln -sfn v2 current; sleep 0.3; mkdir v2/out; sleep 0.3; echo x > v2/out/new", tmp_path)
        await seen.until(lambda: f"created {tmp_path}/current/out/new" in seen.lines)


@mounting
@pytest.mark.parametrize("pattern", ["m/*", "m/out/*", "link/*"])
async def test_a_file_system_mounted_over_a_watched_directory_is_found(tmp_path, pattern):
    sh("mkdir -p m/out; ln -s m link", tmp_path)
    async with running(tmp_path / pattern) as seen:
        sh("mount -t tmpfs none m; sleep 0.3; mkdir m/out", tmp_path)
        try:
            path = tmp_path / pattern.replace("*", "new")
            sh(f"sleep 0.3; echo x > {path}", tmp_path)
            await seen.until(lambda: f"created {path}" in seen.lines)
        finally:
            sh("umount -l m", tmp_path)


async def test_a_directory_that_vanished_is_awaited_until_it_appears_again(tmp_path, monkeypatch):
    monkeypatch.setattr(missing_paths, "MISSING_SECONDS", 0.5)
    sh("mkdir -p a/out", tmp_path)
    async with running(tmp_path / "a/out/*") as seen:
        sh("rm -r a", tmp_path)
        missing = (f"{tmp_path}/a/out",)
        await until(lambda: seen.source.health().missing_paths == missing)
        sh("mkdir a; sleep 0.2; mkdir a/out; sleep 0.2; echo x > a/out/new", tmp_path)
        await seen.until(lambda: f"created {tmp_path}/a/out/new" in seen.lines)
        await until(lambda: not seen.source.health().missing_paths)
