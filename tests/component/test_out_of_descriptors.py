"""Listeners while this process can open no more descriptors."""

import asyncio
import os
import resource
import socket
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from notifyd.http import acceptor
from support.logs import until
from support.processes import reaped, running, watched
from support.recorder import Recorder

CLIENTS = 40


@contextmanager
def no_descriptors():
    """Take all descriptors that this process may still open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 8, before[1]))
    try:
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in taken:
            os.close(descriptor)


async def test_connections_wait_for_descriptors_and_one_warning_is_logged(listener, monkeypatch):
    monkeypatch.setattr(acceptor, "_PAUSE", 0.05)
    monkeypatch.setattr(acceptor, "_WARNING_INTERVAL", 3600.0)
    loop = asyncio.get_running_loop()
    family = socket.AF_UNIX if not isinstance(listener.address, tuple) else socket.AF_INET
    clients = [socket.socket(family) for _ in range(CLIENTS)]
    with capture_logs() as logs:
        with no_descriptors():
            for client in clients:
                client.settimeout(0)
                address = listener.address if family == socket.AF_INET else str(listener.address)
                await loop.sock_connect(client, address)
                await loop.sock_sendall(client, listener.get + b"Connection: close\r\n\r\n")
            await until(lambda: logs)
            await asyncio.sleep(0.3)  # for further warnings, which must not come
        for client in clients:
            assert (await loop.sock_recv(client, 1000)).startswith(b"HTTP/1.1 200")
            client.close()
    (warning,) = [entry for entry in logs if "cannot accept" in entry["event"]]
    assert warning["reason"] == "Too many open files"
    assert "LimitNOFILE=" in warning["fix"]


@pytest.mark.parametrize("max_pidfds", [None, 0])
async def test_a_process_that_cannot_be_read_has_not_ended(tag, spawn, max_pidfds):
    recorder, children = Recorder(), [spawn("read x; exit 7", tag) for _ in range(20)]
    keys = {"cmdline": f"^sh .*{tag}"}
    async with running(recorder, connector=False, job=keys, max_pidfds=max_pidfds) as source:
        with no_descriptors():
            await until(lambda: any("cannot be read" in each for each in source.health().messages))
        await until(lambda: not any("cannot be" in each for each in source.health().messages))
        assert recorder.events == []
        for child in children:
            child.stdin.close()
            await reaped(child)
        await recorder.until(lambda: len(recorder.events) == len(children))
    assert watched(recorder) == set()


async def test_an_exit_is_reported_though_no_descriptor_is_left(tag, spawn):
    recorder, child = Recorder(), spawn("read x; exit 7", tag)
    async with running(recorder, connector=False, job={"cmdline": f"^sh .*{tag}"}):
        with no_descriptors():
            child.stdin.close()
            await until(lambda: child.poll() is not None)
            await recorder.until(lambda: recorder.events)
    assert [event.facts["outcome"] for event in recorder.events] == ["failure"]
