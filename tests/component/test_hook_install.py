"""`notifyd hook install`: its lines, and nothing else, in the settings of agents."""

import json
import os
import stat
from pathlib import Path

import pytest

from notifyd.agents.json_text import JsonText
from notifyd.agents.places import INSTALLABLE, AgentPlaces
from notifyd.agents.settings_file import AgentSettingsError
from support.command import run

OTHER = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes files of another user")
OTHERS = """\
{
    "model": "opus",
    "env": {"A": "\\u00e9", "B": [1,  2]},
    "hooks": {
        "Stop": [ {"hooks": [ {"type": "command", "command": "say done"} ]} ],
        "PreToolUse": []
    },
    "permissions": {}
}
"""


@pytest.fixture
def program(tmp_path):
    """A notifyd that an agent could call."""
    return _program(tmp_path / "bin with spaces")


def _program(folder):
    folder.mkdir()
    path = folder / "notifyd"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def places(home, project=None):
    return AgentPlaces(home, {"PATH": str(home / "bin")}, project)


def files_below(home):
    return {
        str(path.relative_to(home)): path.read_text()
        for path in home.rglob("*")
        if path.is_file() and not path.name.endswith(".notifyd-backup")
    }


@pytest.mark.parametrize("agent", INSTALLABLE)
def test_installing_twice_changes_nothing_and_uninstalling_leaves_nothing_of_ours(
    agent, home, program
):
    hooks = places(home).hooks(agent)
    assert hooks.status(program, is_present=True).state == "not installed"
    assert hooks.install(program)
    before = files_below(home)
    assert not hooks.install(program)
    assert files_below(home) == before
    assert hooks.status(program, is_present=True).state == "installed"
    assert any("notifyd" in text and "hook" in text for text in before.values())
    assert hooks.uninstall()
    assert not hooks.uninstall()
    assert "notifyd" not in "".join(files_below(home).values())


@pytest.mark.parametrize("agent", ["claude-code", "codex", "gemini-cli", "qwen-code"])
@pytest.mark.parametrize(
    "text",
    [
        OTHERS,
        "{}",
        '{"hooks": {"Other": []}, "a": 1}\n',
        '{\n\t"a": [\n\t\t1\n\t]\n}',
        json.dumps(json.loads(OTHERS)),
    ],
)
def test_what_others_wrote_stays_as_it_is(agent, text, home, program):
    hooks = places(home).hooks(agent)
    hooks.path.parent.mkdir()
    hooks.path.write_text(text)
    hooks.install(program)
    settings, installed = json.loads(text), json.loads(hooks.path.read_text())
    for event, groups in settings.pop("hooks", {}).items():
        assert installed["hooks"][event][: len(groups)] == groups
    installed.pop("hooks")
    assert installed == settings
    assert hooks.path.with_name(hooks.path.name + ".notifyd-backup").read_text() == text
    hooks.uninstall()
    assert hooks.path.read_text() == text


def test_old_lines_of_ours_are_corrected_where_they_stand(home, program):
    hooks = places(home).hooks("claude-code")
    hooks.path.parent.mkdir()
    old = [
        {"type": "command", "command": "notifyd", "args": ["hook", "claude-code"], "timeout": 5000},
        {"type": "command", "command": "/gone/bin/notifyd hook claude-code"},
        {"type": "command", "command": "/v/python -m notifyd hook"},
        {"type": "command", "command": "x; notifyd hook"},
        {"type": "command", "command": "notifyd send done"},
    ]
    settings = {
        "hooks": {
            "Stop": [{"hooks": old}],
            "PostToolUse": [{"matcher": "Bash", "hooks": [old[1]]}],
            "SubagentStop": [{"hooks": [old[1]]}],
        }
    }
    hooks.path.write_text(json.dumps(settings, indent=2))
    status = hooks.status(program, is_present=True)
    assert status.state == "incomplete"
    assert "no longer exists; run `notifyd hook install claude-code`" in status.problem
    hooks.install(program)
    found = json.loads(hooks.path.read_text())["hooks"]
    stop = [line["command"] for line in found["Stop"][0]["hooks"]]
    assert stop == [f"'{program}' hook claude-code", "x; notifyd hook", "notifyd send done"]
    assert found["PostToolUse"][0]["matcher"] == "Bash"
    assert found["PostToolUse"][0]["hooks"][0]["async"] is True
    assert "SubagentStop" not in found
    hooks.uninstall()
    left = json.loads(hooks.path.read_text())["hooks"]
    assert left == {"Stop": [{"hooks": old[3:]}]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{\n  // my settings\n  "a": 1\n}', "comments or trailing commas near line 2"),
        ('{"a": 1,}', "near line 1"),
        ("{", "near line 1"),
        ('{"hooks": []}', "`hooks` has an unknown form"),
        ('{"hooks": {"Stop": {}}}', "`hooks` has an unknown form"),
        ("[]", "`hooks` has an unknown form"),
        ("[" * 100_000, "is not plain JSON"),
    ],
)
async def test_a_file_that_is_not_understood_is_left_alone(text, reason, home):
    settings = home / ".claude/settings.json"
    settings.parent.mkdir()
    settings.write_text(text)
    for action in ("install", "uninstall"):
        ran = await run("hook", action, "claude-code", HOME=str(home))
        assert ran.status == 1
        assert reason in ran.err
        assert "nothing was changed" in ran.err
        assert ran.err.count("\n") == 1
    ran = await run("hook", "status", "claude-code", HOME=str(home))
    assert ran.status == 1
    assert reason in ran.out
    assert files_below(home) == {".claude/settings.json": text}


def test_mode_and_symbolic_links_stay(home, program):
    dotfiles = home / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "claude.json").write_text("{}")
    (dotfiles / "claude.json").chmod(0o640)
    hooks = places(home).hooks("claude-code")
    hooks.path.parent.mkdir()
    hooks.path.symlink_to(dotfiles / "claude.json")
    hooks.install(program)
    assert hooks.path.is_symlink()
    for name in ("claude.json", "claude.json.notifyd-backup"):
        assert stat.S_IMODE((dotfiles / name).stat().st_mode) == 0o640
    assert "hook claude-code" in (dotfiles / "claude.json").read_text()


@as_root
@pytest.mark.parametrize("content", ["{}", None])
def test_root_does_not_write_where_a_link_of_another_user_leads(content, home, program, tmp_path):
    target = tmp_path / "only for root"
    if content is not None:
        target.write_text(content)
    for agent in ("claude-code", "grok-build"):
        hooks = places(home).hooks(agent)
        hooks.path.parent.mkdir(parents=True)
        hooks.path.symlink_to(target)
        os.chown(hooks.path, OTHER, OTHER, follow_symlinks=False)
        with pytest.raises(AgentSettingsError, match="as nobody, nothing was changed"):
            hooks.install(program)
        assert hooks.status(program, is_present=True).state == "unreadable"
        os.chown(hooks.path, 0, 0, follow_symlinks=False)
        assert hooks.status(program, is_present=True).state == "not installed"
    assert target.exists() == (content is not None)
    assert content is None or target.read_text() == content


@as_root
def test_what_root_writes_belongs_to_the_owner_of_the_settings(home, program):
    os.chown(home, OTHER, OTHER)
    for agent in INSTALLABLE:
        hooks = places(home).hooks(agent)
        hooks.install(program)
    settings = home / ".claude/settings.json"
    settings.write_text(OTHERS)
    places(home).hooks("claude-code").install(program)
    assert settings.with_name("settings.json.notifyd-backup").exists()
    assert {path.stat().st_uid for path in home.rglob("*")} == {OTHER}


def test_timeouts_have_the_unit_of_the_agent(home, program):
    def timeouts(agent):
        hooks = places(home).hooks(agent)
        hooks.install(program)
        document = json.loads(hooks.path.read_text())["hooks"]
        lines = [
            line
            for entries in document.values()
            for entry in entries
            for line in entry.get("hooks", [entry])
        ]
        return {line.get("timeout", line.get("timeoutSec")) for line in lines}

    assert timeouts("claude-code") == {5}
    assert timeouts("codex") == {5, 3}
    assert timeouts("gemini-cli") == {5000}
    assert timeouts("copilot-cli") == {5}
    assert timeouts("cursor") == {None}
    assert timeouts("qwen-code") == {None}
    assert timeouts("goose") == timeouts("grok-build") == {5}


def test_codex_has_to_trust_each_line(home, program):
    hooks = places(home).hooks("codex")
    hooks.install(program)
    status = hooks.status(program, is_present=True)
    assert "type /hooks in Codex" in status.problem
    events = ("user_prompt_submit", "permission_request", "post_tool_use", "stop", "interrupt")
    keys = [f"{hooks.path}:{event}:0:0" for event in (*events, "session_end")]
    trusted = [f'[hooks.state."{key}"]\ntrusted_hash = "sha256:1"\n' for key in keys]
    config = hooks.path.with_name("config.toml")
    config.write_text("".join(trusted[:-1]))
    assert "type /hooks in Codex" in hooks.status(program, is_present=True).problem
    config.write_text("".join(trusted))
    assert hooks.status(program, is_present=True).problem == ""
    config.write_text("[features]\nhooks = false\n")
    assert "turns hooks off" in hooks.status(program, is_present=True).problem
    config.write_text("[")
    assert "is not TOML" in hooks.status(program, is_present=True).problem


def test_hooks_that_are_turned_off_are_a_problem(home, program):
    for agent, settings in (
        ("claude-code", '{"disableAllHooks": true}'),
        ("gemini-cli", '{"hooksConfig": {"enabled": false}}'),
    ):
        hooks = places(home).hooks(agent)
        hooks.path.parent.mkdir()
        hooks.path.write_text(settings)
        hooks.install(program)
        assert "turns all hooks off" in hooks.status(program, is_present=True).problem


def test_the_settings_of_a_project_and_moved_folders(home, program, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    for agent in INSTALLABLE:
        hooks = places(home, project).hooks(agent)
        hooks.install(program)
        assert hooks.path.is_relative_to(project)
    assert files_below(home) == {}
    environ = {"CODEX_HOME": "/else", "XDG_CONFIG_HOME": "/conf"}
    moved = AgentPlaces(home, environ)
    assert moved.hooks("codex").path == Path("/else/hooks.json")
    assert moved.hooks("opencode").path == Path("/conf/opencode/plugins/notifyd.js")
    assert moved.hooks("goose").path == home / ".agents/plugins/notifyd/hooks/hooks.json"


def test_files_of_our_name_that_others_wrote_are_left_alone(home, program):
    for agent in ("opencode", "copilot-cli", "grok-build", "goose"):
        hooks = places(home).hooks(agent)
        hooks.path.parent.mkdir(parents=True)
        hooks.path.write_text("{}")
        with pytest.raises(Exception, match="was not written by notifyd"):
            hooks.install(program)
        with pytest.raises(Exception, match="was not written by notifyd"):
            hooks.uninstall()
        assert hooks.path.read_text() == "{}"


async def test_all_means_the_agents_that_are_here(home):
    environ = {"HOME": str(home), "PATH": str(home / "bin") + ":" + os.environ["PATH"]}
    ran = await run("hook", "install", "--all", **(environ | {"PATH": "/nonexistent"}))
    assert ran.status == 1
    assert "no known agent was found" in ran.err
    (home / ".claude").mkdir()
    (home / "bin").mkdir()
    (home / "bin/codex").write_text("#!/bin/sh\n")
    (home / "bin/codex").chmod(0o755)
    environ["PATH"] = str(home / "bin")
    ran = await run("hook", "install", "--all", **environ)
    assert (ran.status, ran.err) == (0, "")
    assert "claude-code: installed in" in ran.out
    assert "type /hooks" in ran.out
    assert set(files_below(home)) == {".claude/settings.json", ".codex/hooks.json", "bin/codex"}
    ran = await run("hook", "install", "--all", "--json", **environ)
    assert [each["changed"] for each in json.loads(ran.out)] == [False, False]
    ran = await run("hook", "status", **environ)
    assert ran.status == 1
    assert [line.split()[0] for line in ran.out.splitlines()] == ["claude-code", "codex", "codex:"]
    ran = await run("hook", "status", "--json", **environ)
    assert [each["state"] for each in json.loads(ran.out)] == ["installed", "installed"]
    ran = await run("hook", "uninstall", "--all", **environ)
    assert ran.status == 0
    assert ran.out.count("removed from") == 2


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["install"], "name an agent"),
        (["install", "claud-code"], "claude-code"),
        (["install", "--all", "codex"], "cannot be combined"),
        (["install", "codex", "--project", "/nonexistent"], "is not a directory"),
    ],
)
async def test_wrong_arguments_are_explained(words, error, home):
    ran = await run("hook", *words, HOME=str(home))
    assert ran.status == 2
    assert error in ran.err
    assert ran.err.count("\n") == 1


def test_an_edit_keeps_every_other_byte():
    text = '{ "a" : [1,\n 2] ,"b":{"c":"\\u00e9 }]"},\n\n"d":[ ]}'
    document = JsonText(text)
    document.append(("d",), {"x": 1})
    document.append(("b",), [1], "e")
    assert document.value == {"a": [1, 2], "b": {"c": "é }]", "e": [1]}, "d": [{"x": 1}]}
    document.remove(("b", "e"))
    document.replace(("d", 0), 7)
    document.remove(("d", 0))
    assert document.text == text.replace("[ ]", "[]")
    document.remove(("a",))
    assert document.value == {"b": {"c": "é }]"}, "d": []}
    document.remove(("d",))
    document.remove(("b",))
    assert document.text == "{}"
