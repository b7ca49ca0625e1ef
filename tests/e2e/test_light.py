"""A daemon imports what its triggers need, and nothing else: that saves memory and time."""

import re

import pytest

from support.daemon import AT_ONCE, PLENTY, wait_for

LIBRARIES = {
    *("anyio", "cronsim", "dbus_fast", "jinja2", "jmespath", "pathspec"),
    *("prometheus_client", "watchfiles", "wcmatch"),
}
SOURCES = {
    f"notifyd.sources.{kind}"
    for kind in ("files", "journal", "platform.source", "probes", "processes", "schedule", "units")
}


def imported(daemon) -> set[str]:
    """Return the modules that the daemon has imported, as its interpreter lists them."""
    return set(re.findall(r"import time:.*\| +([\w.]+)$", daemon.log.read_text(), re.MULTILINE))


def test_one_log_trigger_imports_no_other_source(daemon, tmp_path, platform):
    log = tmp_path / "app.log"
    log.touch()
    one = daemon(AT_ONCE.format(paths=[str(log)]), PYTHONPROFILEIMPORTTIME="1", fresh=True).start()
    with log.open("a") as stream:
        stream.write("a line\n")
    wait_for(lambda: len(platform.delivered) == 1)
    modules = imported(one)
    assert {"notifyd.sources.logs.source", "hyperscan", "asyncinotify"} <= modules
    assert not modules & (LIBRARIES | SOURCES | {"notifyd.config.template_sandbox"})


@pytest.mark.parametrize(
    ("trigger", "needed"),
    [
        ('type = "file"\npaths = ["/nowhere/*.csv"]', {"pathspec", "watchfiles", "wcmatch"}),
        ('type = "schedule"\ncron = "0 0 1 1 *"\ntitle = "{{ first }}"', {"cronsim", "jinja2"}),
    ],
)
def test_a_trigger_imports_what_it_needs(daemon, trigger, needed):
    one = daemon(
        f"{PLENTY}\n[triggers.t]\n{trigger}\n", PYTHONPROFILEIMPORTTIME="1", fresh=True
    ).start()
    modules = imported(one)
    assert needed <= modules
    assert not modules & (LIBRARIES - needed - {"anyio"})
    assert "notifyd.sources.logs.source" not in modules
