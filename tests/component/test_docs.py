"""The pages in docs/ say what is so: they are generated, loaded, executed or compared."""

import ast
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from notifyd.config.load import load
from support.daemon import wait_for
from support.markdown import blocks, section

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
RECIPES = (DOCS / "recipes.md").read_text()
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.glob("*.md"),
        *(ROOT / ".github").rglob("*.md"),
        *EXAMPLES.rglob("*.md"),
    ]
)
CONFIGURATIONS = [
    (page, text)
    for page in PAGES
    if page.parent == DOCS
    for text in blocks(page.read_text(), "toml")
]


def environ(home):
    return {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONUTF8": "1"}


@pytest.fixture(autouse=True)
def _own_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")  # what generates pages sets it


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generator():
    return load_script("generate")


def test_the_page_of_the_platform_is_current(generator):
    assert (DOCS / "platform.md").read_text() == generator.platform(), "run `make docs`"


def test_the_configuration_reference_is_current(generator):
    assert (DOCS / "configuration.md").read_text() == generator.configuration(), "run `make docs`"


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="help looks different elsewhere")
def test_the_commands_reference_is_current(generator):
    assert (DOCS / "commands.md").read_text() == generator.commands(), "run `make docs`"


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="usage is wrapped elsewhere")
def test_the_man_pages_are_current():
    written = {path.name: path.read_text() for path in (DOCS / "man").iterdir()}
    assert written == load_script("man_pages").man_pages(), "run `make docs`"


@pytest.mark.skipif(not shutil.which("man"), reason="there is no man")
def test_man_renders_every_page_without_a_warning(tmp_path):
    for page in (DOCS / "man").iterdir():
        done = subprocess.run(
            ["man", "--warnings", "--local-file", page],
            env=environ(tmp_path) | {"LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == "", page.name
        assert "EXAMPLES" in done.stdout or page.name == "notifyd.1"
        assert "\\" not in done.stdout


@pytest.mark.parametrize(
    ("page", "text"), CONFIGURATIONS, ids=[text.splitlines()[0] for _, text in CONFIGURATIONS]
)
def test_every_configuration_shown_is_accepted(page, text, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(text)
    shown = tomllib.loads(text).get("triggers", {})
    loaded = load(path, environ(tmp_path))
    assert set(loaded.settings.triggers) == set(shown), page
    assert not loaded.warnings


def anchors(page):
    """Return the anchors that a page's headings get: words in lower case, joined by hyphens."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.match(r"[\w-]+", text)[0] for text in project["dependencies"]}
    table = (DOCS / "dependencies.md").read_text()
    assert set(re.findall(r"^\| ([\w-]+) \| \S", table, re.MULTILINE)) - {"package"} == needed


def test_the_shown_match_is_what_match_prints(tmp_path):
    text = section(RECIPES, "## Try a pattern before you trust it")
    (config,), (console,) = blocks(text, "toml"), blocks(text, "console")
    command, _, printed = console.partition("\n")
    (tmp_path / "config.toml").write_text(config)
    (tmp_path / "app.log").write_text(
        "all is well\nERROR cannot reach the database\nERROR healthz slow\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "notifyd", *command.removeprefix("$ notifyd ").split()],
        env=environ(tmp_path) | {"NOTIFYD_CONFIG": str(tmp_path / "config.toml")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, printed, "")


def test_the_shown_command_rewrites_a_utf_16_log_as_it_grows(tmp_path):
    (command,) = blocks(section(RECIPES, "## Logs in UTF-16"), "sh")
    log, copy = tmp_path / "errorlog", tmp_path / "errorlog.utf8"
    log.write_bytes("first 上 line\n".encode("utf-16"))
    shell = subprocess.Popen(
        command, shell=True, cwd=tmp_path, env=environ(tmp_path), start_new_session=True
    )
    try:
        wait_for(lambda: copy.exists() and copy.read_text() == "first 上 line\n")
        with log.open("ab") as file:
            file.write("second Ċ\nthird".encode("utf-16-le"))
        wait_for(lambda: copy.read_text() == "first 上 line\nsecond Ċ\n")
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()


def test_every_promise_names_tests_that_exist():
    table = section(ARCHITECTURE, "## Promises and their tests")
    rows = re.findall(r"^\| (.+) \| (.+) \|$", table, re.MULTILINE)[1:]
    assert len(rows) > 50
    for promise, tests in rows:
        named = re.findall(r"`([^`]+)`", tests)
        assert named, promise
        for path in named:
            assert list((ROOT / "tests").glob(path)), (promise, path)


def test_the_architecture_names_modules_that_exist():
    named = set(re.findall(r"`(notifyd/[^`]+)`", ARCHITECTURE))
    assert {path for path in named if not (ROOT / path).exists()} == set()
    packages = {f"notifyd/{path.parent.name}/" for path in ROOT.glob("notifyd/*/__init__.py")}
    assert packages - named == set()


def test_the_glossary_is_short_and_sorted():
    table = section(ARCHITECTURE, "## Glossary")
    terms = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)[1:]
    assert terms == sorted(set(terms))
    assert len(terms) <= 40


def messages():
    """Return every text in the package, with … for each value that is inserted."""
    found = []
    for path in (ROOT / "notifyd").rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = (getattr(part, "value", "") for part in node.values)
                found.append("".join(part if isinstance(part, str) else "…" for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_troubleshooting_quotes_messages_as_they_are():
    page = (DOCS / "troubleshooting.md").read_text()
    tables = page.partition("## The service does not start")[0].partition("## The send token")[2]
    said = "\n".join(messages())
    quoted = [
        text
        for cell in re.findall(r"^\| (`.*?) \|", tables, re.MULTILINE)
        for text in re.findall(r"`([^`]+)`", cell)
    ]
    assert len(quoted) > 40
    missing = [
        text
        for text in quoted
        if not all(part in said for part in text.strip("… ").split("…") if part.strip())
    ]
    assert missing == []
