"""`notifyd doctor`: what is broken for real is named with its fix; a sound machine has no fault."""

import asyncio
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from notifyd import __version__
from support.command import PATIENCE, run
from support.daemon import Daemon
from support.platform import Platform
from support.platform_api import PlatformApi, reply

TOKEN = Platform.token
OTHER = 65534
CREDENTIALS = {"OBLIEN_CLIENT_ID": "id", "OBLIEN_CLIENT_SECRET": "secret"}
LOG = """
[triggers.app]
type = "log"
paths = ["{home}/logs/*.log"]
patterns = ["ERROR"]
"""
USE_UP_INSTANCES = """
import ctypes, resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
while ctypes.CDLL(None).inotify_init1(0) >= 0:
    pass
print("used up", flush=True)
input()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, or mounts")


class Machine:
    """A user's home with a configuration, a token, logs and a state directory, all in order."""

    def __init__(self, home):
        self.home = home
        self.config = home / ".config/notifyd/config.toml"
        self.token = self.config.with_name("send-token")
        self.state = home / ".local/state/notifyd"
        self.log = home / "logs/app.log"
        for folder in (self.config.parent, self.state, self.log.parent):
            folder.mkdir(mode=0o700, parents=True)
        self.write(LOG)
        self.token.write_text(TOKEN)
        self.token.chmod(0o600)
        self.log.write_text("begun\n")
        self.environ = {"HOME": str(home), "NOTIFYD_API__URL": "http://127.0.0.1:1"}

    def write(self, config):
        self.config.write_text(config.format(home=self.home))

    def give(self, uid):
        """Let everything belong to that user."""
        for path in (self.home, *self.home.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)

    async def doctor(self, *words, uid=None, **environ):
        """Return exit status, findings as (check, severity) by problem, and fixes by problem."""
        environ = self.environ | environ
        ran = await run("doctor", "--json", *words, uid=uid, **environ)
        assert ran.err == ""
        report = json.loads(ran.out)
        found = [(check["name"], each) for check in report["checks"] for each in check["findings"]]
        assert ran.status == (1 if report["faults"] else 0)
        assert report["faults"] == sum(each["severity"] == "fault" for _, each in found)
        return Report(ran.status, report["checks"], found)


class Report(SimpleNamespace):
    def __init__(self, status, checks, found):
        super().__init__(status=status, checks=checks, found=found)

    def names(self, severity="fault"):
        return {name for name, each in self.found if each["severity"] == severity}

    def finds(self, name, problem, fix, severity="fault"):
        """Assert that a check found a problem with its fix, both given by a part of them."""
        for check, each in self.found:
            if (check, each["severity"]) == (name, severity) and problem in each["problem"]:
                assert fix in each["fix"], each
                return
        raise AssertionError(f"{name} did not find {problem!r}: {self.found}")

    def summary(self, name):
        (check,) = (check for check in self.checks if check["name"] == name)
        return check["summary"]


@pytest.fixture
def machine():
    # Other users cannot enter pytest's directories.
    with tempfile.TemporaryDirectory(prefix="doctor-") as folder:
        yield Machine(Path(folder))


@pytest.fixture
async def api():
    async with PlatformApi() as running:
        yield running


@contextmanager
def instances_used_up(uid):
    """Hold as many inotify instances as that user may have."""
    python = ["/usr/bin/python3", "-I", "-S", "-c", USE_UP_INSTANCES]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(python, user=uid, group=uid, **pipes) as holder:
        assert holder.stdout.readline() == b"used up\n"
        yield


@contextmanager
def full_disk(folder):
    small = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)]
    subprocess.run(small, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@asynccontextmanager
async def answering(path, status):
    """A socket on which every request is answered with this status, such as of an older daemon."""

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps({"success": True, **status}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        yield


async def test_a_machine_in_order_has_no_findings(machine):
    async with Platform() as platform:
        daemon = Daemon(machine.home, platform, LOG.format(home=machine.home))
        await asyncio.to_thread(daemon.start)
        try:
            await asyncio.to_thread(daemon.send, title="works")
            await platform.wait(1)
            environ = {"NOTIFYD_SOCK": str(daemon.socket), "HOME": str(machine.home)}
            ran = await run("doctor", **environ)
            assert (ran.status, ran.err) == (0, "")
            first, *rest = ran.out.splitlines()
            assert first.startswith("ok       configuration, token, api, ")
            assert rest[-1] == "no faults"
            assert len(rest) <= 2
            # It asked, and sent nothing.
            assert [each.method for each in platform.received] == ["POST", "GET"]
            shown = await run("doctor", "--all", **environ)
            assert "1 path, 1 log readable" in shown.out
            assert "accepted at the last delivery" in shown.out
            assert TOKEN not in ran.out + shown.out
        finally:
            await asyncio.to_thread(daemon.kill)


@as_root
async def test_a_machine_broken_in_twelve_ways(machine):
    machine.write(
        LOG
        + """
[triggers.hidden]
type = "log"
paths = ["{home}/hidden/*.log"]
patterns = ["x"]

[triggers.nowhere]
type = "log"
paths = ["{home}/nowhere/*.log"]
patterns = ["x"]

[triggers.units]
type = "unit"
units = ["*"]

[triggers.journal]
type = "log"
journal = "*"
patterns = ["x"]

[triggers.slow]
type = "log"
paths = ["{home}/logs/app.log"]
patterns = ['(?=x)x*']
"""
    )
    machine.token.unlink()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(machine.state / "notifyd.sock"))
    (machine.state / "spool").mkdir(mode=0o777)
    (machine.state / "spool").chmod(0o777)
    (machine.home / "hidden").mkdir(mode=0o700)
    machine.give(OTHER)
    os.chown(machine.home / "hidden", 0, 0)
    os.chown(machine.log, 0, 0)
    machine.log.chmod(0o600)
    (machine.state / "notifyd.db").mkdir()
    report = await machine.doctor(
        uid=OTHER, PATH="/nonexistent", DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nonexistent"
    )
    assert report.status == 1
    home = machine.home
    report.finds("token", "there is no send token", "notifyd token create --workspace ID --save")
    report.finds("api", "cannot connect to 127.0.0.1:1", "curl -v http://127.0.0.1:1")
    report.finds("socket", f"the stale socket {machine.state}/notifyd.sock", "notifyd run")
    report.finds("spool", "every user may change", f"chmod o-w {machine.state}/spool")
    report.finds("paths", f"{machine.log} cannot be read: permission denied", "setfacl -m u:nobody")
    report.finds(
        "paths", f"{home}/hidden cannot be listed", f"setfacl -m u:nobody:rx {home}/hidden"
    )
    report.finds("paths", f"{home}/nowhere/*.log", "correct `paths`", "warning")
    report.finds("units", "cannot connect to the bus at unix:path=/nonexistent", "start dbus")
    report.finds("journal", "journalctl is not installed", "install systemd")
    report.finds("state", "notifyd.db is not a regular file", "move it away")
    report.finds("configuration", "triggers.slow.patterns[0]", "", "warning")


async def test_too_few_descriptors_are_named(machine):
    command = f"ulimit -n 60; exec {sys.executable} -m notifyd doctor --json"
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", command),
        env={"PATH": os.environ["PATH"], **machine.environ},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    checks = json.loads(out)["checks"]
    (finding,) = next(check for check in checks if check["name"] == "descriptors")["findings"]
    assert "the daemon may open 60 files" in finding["problem"]
    assert finding["fix"].startswith("ulimit -n ")


async def test_an_api_that_does_not_answer_is_named_by_the_step_that_fails(machine):
    host = f"{'x' * 64}.invalid"  # too long for a name server to be asked
    report = await machine.doctor(NOTIFYD_API__URL=f"https://{host}")
    report.finds("api", f"cannot resolve {host}", f"getent hosts {host}")
    report = await machine.doctor(
        NOTIFYD_API__URL=f"https://{host}", HTTPS_PROXY="http://127.0.0.1:1"
    )
    report.finds("api", "cannot connect to the proxy 127.0.0.1", "fix HTTPS_PROXY or NO_PROXY")


async def test_an_api_that_says_nothing_is_not_waited_for(machine):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        report = await machine.doctor(NOTIFYD_API__URL=url, NOTIFYD_API__TIMEOUT="500ms")
    report.finds("api", "no answer from 127.0.0.1 within 0.5 s", f"curl -v {url}")


async def test_an_expired_certificate_is_named(machine):
    async with Platform("expired") as platform:
        report = await machine.doctor(NOTIFYD_API__URL=platform.url, SSL_CERT_FILE=platform.ca_file)
    report.finds("api", "the certificate of localhost has expired", f"curl -v {platform.url}")


async def test_a_clock_that_is_wrong_is_named(machine, api):
    late = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    api.plan(reply(404, {}, {"Date": late}))
    report = await machine.doctor(NOTIFYD_API__URL=api.url)
    report.finds("clock", "behind the API's", "timedatectl")


async def test_a_revoked_token_and_an_account_without_devices_are_named(machine, api):
    record = {"id": 1, "token_prefix": TOKEN[:12], "status": "revoked"}
    lists = {
        "/notifications/tokens": {"tokens": [record]},
        "/notifications/devices": {"devices": []},
    }
    api.answer = lambda request: reply(200, {"success": True, **lists.get(request.path, {})})
    report = await machine.doctor(NOTIFYD_API__URL=api.url, **CREDENTIALS)
    report.finds("token", "lists the send token as revoked", "notifyd token create")
    report.finds("devices", "no device is registered", "install the app", "warning")
    assert {request.method for request in api.requests} == {"GET"}


async def test_credentials_go_only_to_the_configured_api(machine, api):
    """Whoever answers on the socket names the API that is asked whether it can be reached."""
    path = machine.home / "s"
    async with answering(str(path), {"version": __version__, "api": {"url": api.url}}):
        path.chmod(0o660)
        report = await machine.doctor("--socket", str(path), **CREDENTIALS)
    report.finds("daemon", f"the daemon uses {api.url}", "notifyd reload", "warning")
    assert [(each.method, each.path) for each in api.requests] == [("GET", "/")]
    assert not [each for each in api.requests if "secret" in str(each)]


async def test_a_missing_token_is_one_fault_beside_a_daemon_that_waits_for_it(machine):
    machine.token.unlink()
    sentence = "there is no send token: write it to /x (`notifyd token create --save` does)"
    status = {
        "version": __version__,
        "token": {"state": "missing", "problem": sentence},
        "delivery": {"state": "waiting", "error": sentence},
    }
    path = machine.home / "s"
    async with answering(str(path), status):
        path.chmod(0o660)
        report = await machine.doctor("--socket", str(path))
    assert [name for name, each in report.found if "no send token" in each["problem"]] == ["token"]


async def test_a_token_that_others_can_read_is_named(machine):
    machine.token.chmod(0o644)
    report = await machine.doctor()
    report.finds("token", "every user can read", f"chmod 600 {machine.token}", "warning")


async def test_mistakes_in_the_configuration_are_named_and_the_rest_is_checked(machine):
    machine.write("[api]\ntimeout = 3\n[triggers.x]\ntype = 'lgo'\n")
    report = await machine.doctor()
    report.finds("configuration", "config.toml: api.timeout", f"edit {machine.config}")
    report.finds("configuration", "triggers.x.type", f"edit {machine.config}")
    assert {"api", "socket"} <= report.names()


@as_root
async def test_a_full_disk_is_named(machine):
    with full_disk(machine.state):
        report = await machine.doctor()
    report.finds("state", f"the disk of {machine.state} is full", f"du -xh {machine.state}")


@as_root
async def test_a_state_directory_of_somebody_else_is_named(machine):
    machine.give(OTHER)
    os.chown(machine.state, 0, 0)
    report = await machine.doctor(uid=OTHER)
    report.finds("state", "user nobody cannot write to", f"chown -R nobody {machine.state}")


async def test_a_database_that_is_damaged_or_newer_is_named(machine):
    database = machine.state / "notifyd.db"
    database.write_bytes(b"no database" * 1000)
    database.chmod(0o600)
    before = sorted(machine.state.iterdir())
    report = await machine.doctor()
    report.finds("state", "notifyd.db is damaged", "start the daemon", "warning")
    assert sorted(machine.state.iterdir()) == before
    database.unlink()
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("PRAGMA user_version = 99; CREATE TABLE t (x)")
    report = await machine.doctor()
    report.finds("state", "was written by a newer notifyd", "")


@as_root
@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="needs Python for other users")
async def test_inotify_without_instances_is_named(machine):
    machine.give(OTHER)
    with instances_used_up(OTHER):
        report = await machine.doctor(uid=OTHER)
    report.finds("inotify", "no inotify instances left", "sysctl fs.inotify.max_user_instances=")


async def test_requests_that_nobody_imports_and_foreign_files_are_named(machine):
    spool = machine.state / "spool"
    spool.mkdir(mode=0o700)
    (spool / "readme").touch()
    ran = await run("send", "--spool", "hello", **machine.environ)
    (machine.state / "notifyd.db").touch(0o600)
    assert ran.status == 0
    report = await machine.doctor()
    report.finds("spool", "files that notifyd did not write", f"ls -A {spool}", "warning")
    report.finds("spool", "wait for a daemon", "notifyd run", "warning")
    assert len(list(spool.iterdir())) == 2


async def test_what_a_daemon_reports_is_a_finding(machine):
    status = {
        "version": "0.0.1",
        "healthy": False,
        "api": {"url": "http://127.0.0.1:2"},
        "token": {"state": "refused", "problem": "the send token was refused (401)"},
        "delivery": {
            "state": "refused",
            "error": "the send token was refused (401)",
            "reaches_device": False,
        },
        "outbox": {"store": "the disk is full; free some space"},
        "gap": {"kind": "suspend", "seconds": 7200, "at": 1_700_000_000},
        "sources": [{"name": "log", "problems": ["/x cannot be read; chmod it"], "dead": False}],
        "reload": {"error": "config.toml: wrong"},
        "incidents": [{"at": 1, "what": "The database was damaged"}],
    }
    path = str(machine.home / "s")
    async with answering(path, status):
        report = await machine.doctor("--socket", path)
    report.finds("token", "the send token was refused (401)", "notifyd token create")
    report.finds("daemon", "is version 0.0.1", "notifyd run", "warning")
    report.finds("daemon", "the daemon uses http://127.0.0.1:2", "notifyd reload", "warning")
    report.finds("daemon", "database: the disk is full", "free some space")
    report.finds("daemon", "/x cannot be read", "chmod it")
    report.finds("daemon", "the last reload failed", "notifyd check")
    report.finds("daemon", "The database was damaged", "notifyd status", "warning")
    report.finds("devices", "the last notification reached no device", "install the app", "warning")
    report.finds("sleep", "was suspended for 2h", "lifecycle/idle", "warning")


async def test_what_a_daemon_proves_is_no_fault(machine):
    """Its token, its proxy and its authority may come from variables that are hidden."""
    machine.token.unlink()
    delivery = {"state": "ok", "error": "", "outcomes": {"delivered": 3}, "reaches_device": True}
    token = {"state": "ok", "source": "the variable SEND_TOKEN"}
    status = {"version": __version__, "token": token, "delivery": delivery}
    path = machine.home / "s"
    async with answering(str(path), status):
        path.chmod(0o660)
        report = await machine.doctor("--socket", str(path))
    assert report.status == 0
    report.finds("api", "from here, cannot connect to 127.0.0.1:1", "curl -v", "warning")
    assert report.names("warning") == {"api"}


async def test_a_socket_with_another_mode_or_that_is_none_is_named(machine):
    path = machine.home / "s"
    machine.write(LOG + '[socket]\npath = "{home}/s"\nmode = "0600"\n')
    async with answering(str(path), {"version": __version__}):
        path.chmod(0o666)
        report = await machine.doctor()
    report.finds("socket", f"{path} has mode 0666; [socket] mode is 0600", f"chmod 0600 {path}")
    path.unlink(missing_ok=True)
    path.touch()
    report = await machine.doctor()
    report.finds("socket", f"{path} is not a socket", f"mv {path} {path}.old")


@as_root
@pytest.mark.parametrize(
    ("gid", "mode", "fix"),
    [
        (4, 0o660, "usermod -aG adm nobody as root"),
        (4, 0o600, "let `group` in [socket]"),
        (0, 0o660, "let `group` in [socket] of its daemon name a group of nobody"),
    ],
)
async def test_whoever_may_not_connect_learns_how(machine, gid, mode, fix):
    path = machine.home / "s"
    machine.give(OTHER)
    async with answering(str(path), {}):
        os.chown(path, 0, gid)
        path.chmod(mode)
        report = await machine.doctor("--socket", str(path), uid=OTHER)
    report.finds("socket", "user nobody may not connect", fix)


@as_root
async def test_root_sees_what_the_daemons_user_sees(machine):
    machine.give(OTHER)
    os.chown(machine.log, 0, 0)
    machine.log.chmod(0o600)
    report = await machine.doctor("--config", str(machine.config), "--user", "nobody")
    report.finds("paths", f"{machine.log} cannot be read: permission denied", "setfacl -m u:nobody")


@as_root
async def test_a_directory_that_is_ignored_need_not_be_readable(machine):
    machine.write(
        '[triggers.f]\ntype = "file"\npaths = ["{home}/data/**/*.csv"]\nignore = ["private"]\n'
    )
    for name in ("private", "closed"):
        (machine.home / "data" / name).mkdir(mode=0o700, parents=True)
    machine.give(OTHER)
    for name in ("private", "closed"):
        os.chown(machine.home / "data" / name, 0, 0)
    report = await machine.doctor(uid=OTHER)
    closed = f"{machine.home}/data/closed"
    report.finds("paths", f"{closed} cannot be listed", f"setfacl -m u:nobody:rx {closed}")
    assert "private" not in str(report.found)


async def test_a_test_notification_is_sent_only_when_asked_for(machine):
    async with Platform() as platform:
        report = await machine.doctor("--send-test", NOTIFYD_API__URL=platform.url)
        assert report.names() == {"socket"}
        assert report.summary("test notification") == "delivered"
        assert [each.json["title"] for each in platform.received if each.json] == ["notifyd doctor"]
        platform.tokens = set()
        report = await machine.doctor("--send-test", NOTIFYD_API__URL=platform.url)
    report.finds("test notification", "the send token was refused", "")


async def test_a_named_configuration_that_does_not_exist_is_an_error(machine):
    ran = await run("doctor", "--config", str(machine.home / "none.toml"))
    assert ran.status == 78
    assert "no such file" in ran.err


async def test_hooks_of_agents_that_report_nothing_are_named(machine):
    for folder in (".claude", ".codex"):
        (machine.home / folder).mkdir()
    installed = await run("hook", "install", "claude-code", "codex", HOME=str(machine.home))
    assert installed.status == 0
    report = await machine.doctor()
    report.finds("agents", "Codex does not run them yet", "type /hooks", "warning")
    assert report.summary("agents") == "installed for claude-code, codex"
    settings = machine.home / ".claude/settings.json"
    settings.write_text(re.sub(r"/[^ \"]*/notifyd", "/gone/notifyd", settings.read_text()))
    report = await machine.doctor()
    fix = "notifyd hook install claude-code"
    report.finds("agents", "/gone/notifyd no longer exists", fix, "warning")


async def test_hooks_are_those_of_the_user_who_asks_not_of_the_daemon(machine, tmp_path):
    (tmp_path / ".claude").mkdir()
    asks = {"HOME": str(tmp_path)}
    installed = await run("hook", "install", "claude-code", **asks)
    assert installed.status == 0
    async with Platform() as platform:
        daemon = Daemon(machine.home, platform, LOG.format(home=machine.home))
        await asyncio.to_thread(daemon.start)
        try:
            ran = await run("doctor", "--all", NOTIFYD_SOCK=str(daemon.socket), **asks)
        finally:
            await asyncio.to_thread(daemon.kill)
    assert "agents: installed for claude-code" in ran.out
