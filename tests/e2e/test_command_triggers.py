"""`command` triggers as a user meets them: commands, a daemon, and the push."""

import shutil

import pytest

from support.commands import long_sleep, pids_of, wait_until_gone, wait_until_running
from support.daemon import PLENTY, wait_for

CONFIG = """
[triggers.disk]
type = "command"
run = "cat {state}; exit $(cat {status})"
check = "nagios"
every = "1s"

[triggers.endless]
type = "command"
run = "{sleep} & {sleep} & wait"
every = "1s"
timeout = "1h"
"""


def titles(platform):
    return [message.json["title"] for message in platform.delivered.values()]


def test_a_check_is_reported_once_over_a_kill_and_no_command_outlives_the_daemon(
    daemon, platform, tmp_path
):
    state, status, sleep = tmp_path / "output", tmp_path / "result", long_sleep()

    def report(text, number):
        state.write_text(text)
        status.write_text(str(number))

    report("CRITICAL - /var 97% full | /var=97%;80;90\n", 2)
    config = CONFIG.format(state=state, status=status, sleep=sleep)
    running = daemon(PLENTY + config, fresh=True).start()
    wait_for(lambda: platform.delivered, what="a push")
    (push,) = platform.delivered.values()
    assert push.json["title"] == "disk: CRITICAL - /var 97% full"
    assert push.json["body"] == "/var: 97% (warning 80, critical 90)"
    assert push.json["data"]["priority"] == "high"
    wait_until_running(sleep)
    running.kill()
    wait_until_gone(sleep)

    running.start()
    wait_until_running(sleep)
    report("OK - /var 60% full\n", 0)
    wait_for(lambda: len(titles(platform)) > 1, what="the recovery")
    assert titles(platform)[1:] == ["disk recovered: OK - /var 60% full"]
    (source,) = running.ask("GET", "/v1/status")["sources"]
    assert (source["name"], source["problems"]) == ("command", [])
    assert running.stop(within=45) == 0
    wait_until_gone(sleep)
    assert not pids_of(sleep)


PLUGINS = "/usr/lib/nagios/plugins"


@pytest.mark.skipif(
    shutil.which(f"{PLUGINS}/check_disk") is None, reason="needs monitoring-plugins-basic"
)
def test_plugins_of_debian_work_unchanged(daemon, platform):
    """A limit that every disk passes, a load that none has, a process that does not run."""
    plugins = {
        "disk": ["check_disk", "-w", "100%", "-c", "0%", "-p", "/"],
        "users": ["check_users", "-w", "100000", "-c", "100000"],
        "procs": ["check_procs", "-c", "1:", "-C", "no-such-name"],
        "file": ["check_file_age", "-f", "/no/such/file"],
        "usage": ["check_load"],
    }
    table = '[triggers.{}]\ntype = "command"\nevery = "2s"\ncheck = "nagios"\nrun = {}\n'
    config = "".join(
        table.format(name, [f"{PLUGINS}/{program}", *arguments])
        for name, (program, *arguments) in plugins.items()
    )
    daemon(PLENTY + config).start()
    wait_for(lambda: len(platform.delivered) >= 4, what=lambda: titles(platform))
    pushes = {push.json["data"]["trigger"]: push.json for push in platform.delivered.values()}
    assert pushes.keys() == {"disk", "procs", "file", "usage"}
    assert pushes["disk"]["title"].startswith("disk: DISK WARNING - free space: / ")
    assert pushes["disk"]["body"].startswith("/: ")
    assert pushes["disk"]["data"]["priority"] == "default"
    assert pushes["procs"]["title"].startswith("procs: PROCS CRITICAL: 0 processes")
    assert pushes["file"]["title"].startswith("file: FILE_AGE CRITICAL: ")
    assert pushes["usage"]["title"].startswith("usage: UNKNOWN - ")
