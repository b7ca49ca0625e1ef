"""The set-ups in examples/ send the pushes that their READMEs show.

What takes hours there takes seconds here; what a clock decides is played in virtual time.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from notifyd.config.load import load
from support.daemon import Daemon, wait_for
from support.markdown import blocks, section
from support.shell import environ, shell
from support.story import Story

EXAMPLES = Path(__file__).parents[2] / "examples"
CASES = Path(__file__).parents[1] / "cases"
DURATION = re.compile(r"(?<![\w.-])\d+(\.\d+)?(ms|[smhd])( ?\d+(ms|[smhd]))*(?!\w)")
EACH = pytest.mark.parametrize(
    "folder", sorted(EXAMPLES.glob("*/")), ids=lambda folder: folder.name
)
needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


def comparable(text: str) -> str:
    """Return a text without what differs from run to run."""
    return re.sub(r"pid \d+", "pid …", DURATION.sub("…", text.strip()))


class Setup:
    """One directory of examples/, set up in a user's home as its README says."""

    def __init__(self, name: str, home: Path, platform, daemon) -> None:
        self.folder, self.home, self.platform = EXAMPLES / name, home, platform
        self.page = (self.folder / "README.md").read_text()
        self._daemon = daemon
        self.env = environ(
            home,
            NOTIFYD_SOCK=str(home / "run/notifyd.sock"),
            NOTIFYD_SEND_TOKEN=platform.token,
            GIT_CONFIG_GLOBAL=str(home / "gitconfig"),
        )

    def run(self, script: str, cwd: Path | None = None) -> str:
        return shell(script, self.env, cwd or self.folder)

    def start(self, *replaced: tuple[str, str]) -> Daemon:
        """Start the daemon with the configuration of the example, texts of which are replaced."""
        config = (self.folder / "config.toml").read_text()
        for text, by in replaced:
            assert text in config, text
            config = config.replace(text, by)
        return self._daemon(config).start()

    def missing(self, shown: list[str]) -> list[str]:
        pushes = {
            comparable(f"{push.json['title']}\n{push.json.get('body', '')}")
            for push in self.platform.delivered.values()
        }
        pushes = {push.replace(str(self.home), "/home/ada") for push in pushes}
        return [each for each in shown if comparable(each) not in pushes]

    def receives(self, *titles: str) -> None:
        """Wait for the pushes of the README that begin so."""
        shown = blocks(section(self.page, "## On the phone"), "text")
        expected = [next(push for push in shown if push.startswith(title)) for title in titles]
        wait_for(
            lambda: not self.missing(expected),
            what=lambda: (
                self.missing(expected),
                [(push.json["title"], push.json.get("body")) for push in self.platform.received],
            ),
        )


@pytest.fixture
def setup(tmp_path, platform, daemon):
    return lambda name: Setup(name, tmp_path, platform, daemon)


def played(name: str, folder: Path, script: str) -> list[str]:
    config = (EXAMPLES / name / "config.toml").read_text()
    return Story(f"\n-----\n{config}\n-----\n{script}", folder).play()


# --- ci


BROKEN = "test:\n\t@echo 'test_cart.py::test_total FAILED'; exit 1\n"
GOOD = "test:\n\t@echo all tests pass\n"


@needs_git
def test_a_machine_that_builds_reports_what_is_broken(setup, tmp_path):
    ci = setup("ci")
    (set_up,) = blocks(section(ci.page, "## Set it up"), "sh")
    ci.run(set_up)
    ci.start(('settle = "5s"', 'settle = "200ms"'))
    ci.run("git config --global user.name Ada; git config --global user.email ada@shop.example")
    work = tmp_path / "work"
    ci.run("git init --quiet --initial-branch main ~/work")

    def push(makefile: str, version: str) -> None:
        (work / "Makefile").write_text(makefile)
        ci.run(f"git add . && git commit -qm {version} && git push -q ~/shop.git main", work)

    push(BROKEN, "broken")
    ci.receives("shop, main failed")
    ci.run("git clone --quiet --branch main ~/shop.git ~/shop")
    ci.run("! ~/bin/nightly-build ~/shop")
    ci.receives("nightly-build: failed")
    push(GOOD, "good")
    ci.run("~/bin/nightly-build ~/shop; mkdir ~/dist; touch ~/dist/shop-1.4.tar.gz")
    ci.receives("nightly-build: back", "packages: created")
    titles = [push.json["title"] for push in ci.platform.delivered.values()]
    assert len([title for title in titles if title.startswith("shop, main")]) == 1


def test_a_night_without_a_build_is_reported(tmp_path):
    script = """
start 2026-03-02 12:00 UTC
at 14h30m: ping nightly-build start
at 14h40m: ping nightly-build 0
between 39h30m and 39h30m1s: want "^nightly-build: no ping for 25h .expected Wed 02:30.$"
end 40h
"""
    assert played("ci", tmp_path, script) == []


# --- training


TRAIN = """\
import pathlib, sys, time
if "--crash" in sys.argv:
    print("step 421: loss nan")
    while not pathlib.Path("crash").exists():
        time.sleep(0.05)
    raise FloatingPointError("gradients are not finite")
for step, end in (400, "\\n"), (410, "\\n"), (420, ""):  # no line is missed, a bar may be
    print(f"\\r{step // 10}%|####      | {step}/1000 [1:10:11<1:36:55, 9.87it/s]", end=end)
while not pathlib.Path("go").exists():
    time.sleep(0.05)
print("\\r43%|####      | 430/1000 [1:31:40<2:01:31, 9.87it/s]", end="")
while not pathlib.Path("end").exists():
    time.sleep(0.05)
print("\\nepoch 1 of 3: loss 0.52\\nepoch 2 of 3: loss 0.37")
print("epoch 3 of 3: loss 0.31\\nsaved to runs/final.safetensors")
"""


def is_watched(daemon: Daemon) -> bool:
    sources = daemon.ask("GET", "/v1/status")["sources"]
    return any(source["name"] == "process" and source["watching"] for source in sources)


def test_a_training_run_reports_that_it_crashes_hangs_diverges_and_ends(setup, tmp_path):
    training = setup("training")
    set_up, start = blocks(section(training.page, "## Set it up"), "sh")
    training.run(set_up)
    mine = f"--run {os.getpid()}"  # other tests run a train.py too
    one = training.start(
        (r"train\.py( |$)'", rf"train\.py .*{mine}$'"),
        ('stalled = "15m"', 'stalled = "2s"'),
        ('stale = "3h"', 'stale = "1s"'),
        ('repeat = "2h"', ""),
    )
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "runs").mkdir()
    training.run(f"{start.strip()} {mine}", tmp_path)
    training.receives("training-stalled: stalled", "checkpoints: ")
    (tmp_path / "go").touch()
    training.receives("training-stalled: moving")
    (tmp_path / "end").touch()
    training.receives("training ended")
    training.run(f"~/bin/train-in-background --crash {mine}", tmp_path)
    wait_for(lambda: is_watched(one), what="the run is seen")
    (tmp_path / "crash").touch()
    training.receives("The loss is nan", "training failed")


# --- web-app


TRACE = """\
ERROR in cart
Traceback (most recent call last):
  File "/srv/shop/cart.py", line 88, in total
    return sum(line.price for line in self.lines)
ValueError: price of line 3 is None
"""


class Site(BaseHTTPRequestHandler):
    """A site that is up or down."""

    status = HTTPStatus.BAD_GATEWAY

    def do_GET(self):
        self.send_response(Site.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def serving(monkeypatch) -> Iterator[int]:
    """Serve the site, which is down at first; yields its port."""
    monkeypatch.setattr(Site, "status", HTTPStatus.BAD_GATEWAY)
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@needs_curl
@needs_openssl
def test_a_web_application_reports_what_its_visitors_notice(setup, tmp_path, monkeypatch):
    app = setup("web-app")
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("access.log", "error.log", "shop.log"):
        (logs / name).touch()
    app.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=shop.example"
        " -keyout ~/key.pem -out ~/shop.pem 2>&1"
    )
    with serving(monkeypatch) as port:
        app.start(
            ("/var/log/nginx", str(logs)),
            ('journal = ["shop.service"]', f'paths = "{logs}/shop.log"'),
            ('mute = ["night"]', ""),
            ("/etc/ssl/certs/shop.pem", str(tmp_path / "shop.pem")),
            ("http://127.0.0.1/health", f"http://127.0.0.1:{port}/health"),
            ('every = "1m"', 'every = "1s"'),
        )
        append(logs / "access.log", (CASES / "nginx-access.log").read_text())
        append(logs / "error.log", (CASES / "nginx-error.log").read_text())
        append(logs / "shop.log", TRACE)
        shown = ("10 server errors", "nginx", "shop-errors", "certificate failed", "site failed")
        app.receives(*shown)
        monkeypatch.setattr(Site, "status", HTTPStatus.OK)
        app.receives("site recovered")


def test_a_deployment_is_a_push_and_wakes_nobody(setup, tmp_path):
    app = setup("web-app")
    one = app.start()
    programs = tmp_path / ".local/bin"
    programs.mkdir(parents=True)
    for name, script in {"git": "", "systemctl": "", "curl": "echo ok"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    app.run("./deploy v1.4")
    app.receives("Deploy of v1.4")
    status = one.ask("GET", "/v1/status")
    assert status["triggers"]["services"]["muted_until"]


def test_a_night_of_exceptions_is_one_push_and_a_backup_that_did_not_run_another(tmp_path):
    script = """
start 2026-03-02 22:00 UTC
at 0s: ping backup success
at 2h: shop-errors matches "ValueError: one"
at 3h: shop-errors matches "ValueError: two"
between 9h and 9h1s: want "shop-errors" "two"
between 26h and 26h1s: want "^backup: no ping for 26h .expected every 24h.$"
end 27h
"""
    assert played("web-app", tmp_path, script) == []


# --- coding-agent


CLAUDE = {"session_id": "88203c6c", "cwd": "/home/ada/shop", "permission_mode": "default"}
CODEX = {"session_id": "019af", "turn_id": "t1", "cwd": "/home/ada/shop", "model": "gpt"}
DEPLOY = {"command": "make deploy", "description": "Deploy the shop"}


class Agent:
    """An agent that runs the hooks in its settings, as it was told to."""

    def __init__(self, setup: Setup, settings: str, **common: str) -> None:
        self.setup, self.common = setup, common
        self.hooks = json.loads((setup.home / settings).read_text())["hooks"]

    def reports(self, event: str, **fields: object) -> None:
        payload = json.dumps({**self.common, "hook_event_name": event, **fields})
        for entry in self.hooks[event]:
            for hook in entry["hooks"]:
                subprocess.run(
                    ["sh", "-c", hook["command"]],
                    env=self.setup.env,
                    input=payload,
                    text=True,
                    check=True,
                    timeout=90,
                )


def test_agents_that_wait_are_done_or_cannot_go_on_reach_the_phone(setup, tmp_path):
    agents = setup("coding-agent")
    (set_up,) = blocks(section(agents.page, "## Set it up"), "sh")
    agents.run(set_up)
    agents.start(('grace = "30s"', 'grace = "1s"'), ('min_duration = "2m"', 'min_duration = "1ms"'))
    claude = Agent(agents, ".claude/settings.json", **CLAUDE)
    codex = Agent(agents, ".codex/hooks.json", **CODEX)
    claude.reports("UserPromptSubmit", prompt="deploy it")
    codex.reports("UserPromptSubmit", prompt="fix the tests")
    claude.reports("PermissionRequest", tool_name="Bash", tool_input=DEPLOY)
    codex.reports("Stop", last_assistant_message="All 12 tests pass.", stop_hook_active=False)
    agents.receives("shop: Claude Code needs permission", "shop: Codex is done")
    claude.reports("StopFailure", error="rate_limit", error_details="Resets at 18:00")
    (tmp_path / "Makefile").write_text("bench:\n\t@exit 1\n")
    agents.run("! notifyd exec --longer-than 1ms -- make bench", tmp_path)
    agents.receives("shop: Claude Code stopped", "make bench failed")


# --- all of them


@EACH
def test_the_configuration_is_accepted_without_a_warning(folder, tmp_path):
    loaded = load(folder / "config.toml", {"HOME": str(tmp_path)})
    assert not loaded.warnings


@EACH
def test_the_listing_and_the_readme_name_every_file(folder):
    listing, page = ((each / "README.md").read_text() for each in (EXAMPLES, folder))
    assert f"({folder.name}/README.md)" in listing
    for file in folder.iterdir():
        assert file.name == "README.md" or f"]({file.name})" in page, file
        if file.read_text().startswith("#!"):
            assert file.stat().st_mode & stat.S_IXUSR, file
            subprocess.run(["sh", "-n", str(file)], check=True)


def test_the_listing_names_every_single_file():
    listing = (EXAMPLES / "README.md").read_text()
    for file in EXAMPLES.glob("*.*"):
        assert file.name == "README.md" or f"]({file.name})" in listing, file
