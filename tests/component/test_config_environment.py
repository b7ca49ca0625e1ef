from pathlib import Path

import pytest

from notifyd.config.load import load
from notifyd.config.settings import Settings
from notifyd.model.errors import ConfigError

CONFIG = """
[budget]
max = 5
[triggers.app-errors]
type = "log"
paths = "/x"
patterns = "x"
[triggers.training]
type = "process"
name = "x"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path / "config.toml"


def settings(config: Path | None, **environ: str) -> Settings:
    return load(config, environ).settings


def problems(config: Path, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        load(config, environ)
    return refusal.value.problems


def test_beats_the_file_which_beats_the_defaults(config: Path):
    assert settings(config).budget.max == 5
    loaded = settings(config, NOTIFYD_BUDGET__MAX="7", NOTIFYD_BUDGET__PER="90m")
    assert (loaded.budget.max, loaded.budget.per) == (7, 5400.0)


@pytest.mark.parametrize(
    ("name", "text", "place", "value"),
    [
        ("RATE_LIMIT__MAX", "60", "rate_limit.max", 60),
        ("TEXT__REDACT", "false", "text.redact", False),
        ("TEXT__REDACT", "False", "text.redact", False),
        ("SOCKET__MODE", "600", "socket.mode", 0o600),
        ("SOCKET__MAX_BODY", "16KiB", "socket.max_body", 16384),
        ("SOCKET__RATE", '{"max": 3, "per": "2s"}', "socket.rate.max", 3),
        ("SOCKET__RATE", '{ max = 3, per = "2s" }', "socket.rate.per", 2.0),
        ("DEFAULTS__GROUP_BY", '["path"]', "defaults.group_by", ["path"]),
        ("DEFAULTS__GROUP_BY", "path", "defaults.group_by", ["path"]),
        ("LOG", '{"level": "debug"}', "log.level", "debug"),
        ("API__URL", "https://other.example/", "api.url", "https://other.example"),
    ],
)
def test_values_are_read_as_their_keys_want(
    config: Path, name: str, text: str, place: str, value: object
):
    found: object = settings(config, **{f"NOTIFYD_{name}": text})
    for key in place.split("."):
        found = getattr(found, key)
    assert found == value


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("PATTERNS", "[0-9]+", ["[0-9]+"]),
        ("PATTERNS", "[1]", ["[1]"]),
        ("PATTERNS", '["a", "b"]', ["a", "b"]),
        ("TITLE", "42", "42"),
        ("TITLE", "{{ line }}", "{{ line }}"),
        ("THRESHOLD", "3", 3),
        ("DATA", '{"team": "backend"}', {"team": "backend"}),
    ],
)
def test_a_triggers_name_is_found_though_a_variable_cannot_spell_it(
    config: Path, key: str, text: str, value: object
):
    loaded = settings(config, **{f"NOTIFYD_TRIGGERS__APP_ERRORS__{key}": text})
    assert getattr(loaded.triggers["app-errors"], key.lower()) == value


def test_a_trigger_can_come_from_the_environment_alone(config: Path):
    loaded = settings(
        config,
        NOTIFYD_TRIGGERS__NEW__TYPE="process",
        NOTIFYD_TRIGGERS__NEW__PID="42",
        NOTIFYD_TRIGGERS__NEW__DATA__TEAM="backend",
    )
    assert loaded.triggers["new"].model_dump(include={"pid", "data"}) == {
        "pid": 42,
        "data": {"team": "backend"},
    }


def test_every_mistake_names_its_variable(config: Path):
    assert problems(
        config,
        NOTIFYD_RATE_LIMIT__MAX="many",
        NOTIFYD_BUDGET__PER="60",
        NOTIFYD_LOGG__LEVEL="info",
        NOTIFYD_LOG__LEVLE="info",
        NOTIFYD_TRIGGERS__TRAINING__PID="many",
        NOTIFYD_="x",
    ) == [
        (
            'NOTIFYD_: "": unknown key; there are api, rate_limit, budget, delivery, socket, '
            "state, log, text, mute, defaults, triggers (got 'x')"
        ),
        'NOTIFYD_BUDGET__PER: budget.per: needs a unit: write "60s" or "60m" (got \'60\')',
        "NOTIFYD_LOGG__LEVEL: logg: unknown key; did you mean 'log'? (got '{\"level\": \"info\"}')",
        "NOTIFYD_LOG__LEVLE: log.levle: unknown key; did you mean 'level'? (got 'info')",
        "NOTIFYD_RATE_LIMIT__MAX: rate_limit.max: must be a whole number (got 'many')",
        (
            "NOTIFYD_TRIGGERS__TRAINING__PID: triggers.training.pid: must be a whole number "
            "(got 'many')"
        ),
        (
            "NOTIFYD_TRIGGERS__TRAINING__PID: triggers.training.pid: cannot stand beside name: "
            "give only one of them"
        ),
    ]


def test_names_that_are_no_settings(config: Path):
    loaded = settings(
        None,
        NOTIFYD_CONFIG=str(config),
        NOTIFYD_SEND_TOKEN="onp_x",
        NOTIFYD_SOCK="/x",
        PATH="/bin",
    )
    assert loaded.budget.max == 5
    (line,) = problems(config, NOTIFYD_TEST_SOMETHING="x")
    assert line.startswith("NOTIFYD_TEST_SOMETHING: test_something: unknown key")


def test_an_unknown_name_that_holds_a_secret_does_not_show_it(config: Path):
    (line, *_) = problems(config, NOTIFYD_API__TOKEN="my-secret", NOTIFYD_TOKEN="my-secret")
    assert "token_file" in "".join(problems(config, NOTIFYD_API__TOKEN="my-secret"))
    assert "my-secret" not in "".join(problems(config, NOTIFYD_TOKEN="my-secret"))
    assert "my-secret" not in line


class TestBaseUrl:
    def test_counts_where_nothing_of_ours_names_the_url(self, config: Path):
        other, own = "https://other.example", "https://own.example"
        assert settings(config, OBLIEN_BASE_URL=other).api.url == other
        assert settings(config, OBLIEN_BASE_URL="").api.url == "https://api.oblien.com"
        assert settings(config, OBLIEN_BASE_URL=other, NOTIFYD_API__URL=own).api.url == own

    def test_is_checked_as_well(self, config: Path):
        assert problems(config, OBLIEN_BASE_URL="http://other.example") == [
            (
                "OBLIEN_BASE_URL: api.url: would send the token unencrypted: "
                "http:// is for this machine only (got 'http://other.example')"
            )
        ]


def test_settings_alone_never_look_at_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NOTIFYD_BUDGET__MAX", "7")
    assert Settings().budget.max == 20
