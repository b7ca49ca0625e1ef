"""The example is valid and shows every key."""

import grp
import os
import re
from pathlib import Path

import pytest

from notifyd.cli import main
from notifyd.config.load import load
from notifyd.config.sections import MuteConfig, Section, fields_by_key
from notifyd.config.settings import Settings
from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import TRIGGER_TYPES

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
COMMENTED = re.compile(r"^# (\w+ = .*)$")
GROUP = grp.getgrgid(os.getgid()).gr_name


def commented_settings() -> list[tuple[str, str]]:
    """Return each commented-out setting with the table it belongs to."""
    table, found = "", []
    for line in EXAMPLE.read_text().splitlines():
        if line.startswith("["):
            table = line
        elif setting := COMMENTED.match(line):
            found.append((table, setting[1]))
    return found


def keys() -> set[str]:
    sections = [field.annotation for field in Settings.model_fields.values()]
    models = [model for model in sections if isinstance(model, type) and issubclass(model, Section)]
    return {
        key
        for model in (*models, *TRIGGER_TYPES.values(), ShapingConfig, MuteConfig)
        for key in fields_by_key(model)
    }


def test_passes_check(capsys: pytest.CaptureFixture[str]):
    assert main(["check", "--config", str(EXAMPLE)]) == 0
    out, err = capsys.readouterr()
    assert out == f"ok: 6 triggers; {EXAMPLE}\n"
    assert "line" not in err


def test_shows_every_key():
    shown = re.findall(r"^(?:# ?)?(\w+) = ", EXAMPLE.read_text(), re.MULTILINE)
    assert keys() == set(shown)


def test_commented_triggers_are_valid_when_the_marks_are_removed(tmp_path: Path):
    text = re.sub(r"^#(?=[\[a-z])", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    text = text.replace("[listen]\n", '[listen]\ntcp = "127.0.0.1:1"\ntoken_file = "/x"\n')
    text = text.replace("[webhooks]\n", '[webhooks]\nsecret_file = "/x"\n')
    (tmp_path / "config.toml").write_text(text)
    loaded = load(tmp_path / "config.toml", {})
    assert loaded.warnings == ()
    kinds = [trigger.type for trigger in loaded.settings.triggers.values()]
    assert kinds.count("oblien") == 11


@pytest.mark.parametrize(
    ("table", "setting"), commented_settings(), ids=lambda value: str(value)[:30]
)
def test_commented_settings_are_valid(table: str, setting: str, tmp_path: Path):
    setting = re.sub(r'^(group|admin_group) = ".*"', rf'\1 = "{GROUP}"', setting)
    needed = {
        "[triggers.system-errors]": 'type = "log"\npaths = "/x"\npatterns = "(?P<progress>x)"\n',
        "[listen]": 'token_file = "/x"\n'
        if "tcp" in setting
        else 'tcp = "127.0.0.1:1"\n' + ('token_file = "/x"\n' if "ping_key" in setting else ""),
        "[mute.night]": 'times = "22:00-07:00"\n',
        "[triggers.new-results]": 'type = "file"\npaths = "/x"\n',
        "[triggers.stand-up]": 'type = "schedule"\ncron = "30 9 * * *"\n',
        "[defaults]": '[mute.night]\ntimes = "22:00-07:00"\n' if "mute" in setting else "",
        "[triggers.disk]": 'type = "resource"\nresource = "disk"\npath = "/"\n',
        "[triggers.name-service]": 'type = "command"\nrun = "true"\n'
        + ('check = "value"\n' if "when" in setting else ""),
        "[triggers.training]": 'type = "process"\n' + ("name = 'x'\n" if "user" in setting else ""),
    }.get(table, "")
    if setting.startswith("journal"):
        needed = needed.replace('paths = "/x"\n', "")
    text = f"{table}\n{needed}{setting}\n"
    if needed.startswith("["):
        text = f"{needed}{table}\n{setting}\n"
    (tmp_path / "config.toml").write_text(text)
    assert load(tmp_path / "config.toml", {}).warnings == ()
