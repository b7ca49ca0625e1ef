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


def test_the_environment_beats_the_file_which_beats_the_defaults(config: Path):
    assert settings(config).budget.max == 5
    loaded = settings(config, NOTIFYD_BUDGET__MAX="7", NOTIFYD_BUDGET__PER="90m")
    assert (loaded.budget.max, loaded.budget.per) == (7, 5400.0)


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
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
def test_values_are_converted_to_the_type_of_their_key(
    config: Path, name: str, text: str, key: str, value: object
):
    found: object = settings(config, **{f"NOTIFYD_{name}": text})
    for part in key.split("."):
        found = getattr(found, part)
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
def test_a_trigger_is_found_although_a_variable_cannot_spell_its_name(
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


def test_every_error_names_its_variable(config: Path):
    assert problems(
        config,
        NOTIFYD_RATE_LIMIT__MAX="many",
        NOTIFYD_BUDGET__PER="60",
        NOTIFYD_LOGG__LEVEL="info",
        NOTIFYD_LOG__LEVLE="info",
        NOTIFYD_TRIGGERS__TRAINING__PID="many",
        NOTIFYD_="x",
    ) == [
        f"NOTIFYD_: \"\": unknown key; known are {', '.join(Settings.model_fields)} (got 'x')",
        (
            'NOTIFYD_BUDGET__PER: budget.per: invalid duration "60": add a unit, '
            "for example \"60m\" (got '60')"
        ),
        "NOTIFYD_LOGG__LEVEL: logg: unknown key; did you mean 'log'? (got '{\"level\": \"info\"}')",
        "NOTIFYD_LOG__LEVLE: log.levle: unknown key; did you mean 'level'? (got 'info')",
        "NOTIFYD_RATE_LIMIT__MAX: rate_limit.max: must be a whole number (got 'many')",
        (
            "NOTIFYD_TRIGGERS__TRAINING__PID: triggers.training.pid: must be a whole number "
            "(got 'many')"
        ),
        ("NOTIFYD_TRIGGERS__TRAINING__PID: triggers.training.pid: cannot be combined with `name`"),
    ]


def test_some_variables_are_not_settings(config: Path):
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


def test_the_value_of_an_unknown_secret_is_not_shown(config: Path):
    (line, *_) = problems(config, NOTIFYD_API__TOKEN="my-secret", NOTIFYD_TOKEN="my-secret")
    assert "token_file" in "".join(problems(config, NOTIFYD_API__TOKEN="my-secret"))
    assert "my-secret" not in "".join(problems(config, NOTIFYD_TOKEN="my-secret"))
    assert "my-secret" not in line


def test_what_kubernetes_and_docker_links_inject_is_ignored(config: Path):
    injected = {
        "NOTIFYD_SERVICE_HOST": "10.0.0.1",
        "NOTIFYD_SERVICE_PORT": "80",
        "NOTIFYD_SERVICE_PORT_HTTP": "80",
        "NOTIFYD_PORT": "tcp://10.0.0.1:80",
        "NOTIFYD_PORT_80_TCP": "tcp://10.0.0.1:80",
        "NOTIFYD_PORT_80_TCP_ADDR": "10.0.0.1",
        "NOTIFYD_PORT_80_TCP_PORT": "80",
        "NOTIFYD_PORT_80_TCP_PROTO": "tcp",
        "NOTIFYD_WEB_SERVICE_HOST": "10.0.0.2",
        "NOTIFYD_WEB_PORT": "udp://10.0.0.2:53",
    }
    loaded = load(config, injected)
    assert loaded.ignored_variables == tuple(sorted(injected))
    assert load(config, {}).ignored_variables == ()


def test_settings_and_misspelt_names_are_not_taken_for_injected_ones(config: Path):
    (line,) = problems(config, NOTIFYD_PORT="8787")
    assert line.startswith("NOTIFYD_PORT: port: unknown key")
    (line,) = problems(config, NOTIFYD_SOCKET__SERVICE_HOST="x")
    assert line.startswith("NOTIFYD_SOCKET__SERVICE_HOST: socket.service_host: unknown key")


@pytest.mark.parametrize("text", ["0", "no", "off", "FALSE", "f", "N"])
def test_booleans_are_written_as_pydantic_takes_them(config: Path, text: str):
    assert settings(config, NOTIFYD_TEXT__REDACT=text).text.redact is False
    assert settings(config, NOTIFYD_TRIGGERS__TRAINING__TITLE=text).triggers["training"].title


def test_one_key_of_a_table_may_come_from_the_environment_alone(config: Path):
    loaded = settings(config, NOTIFYD_SOCKET__RATE__MAX="5", NOTIFYD_PLATFORM__RATE__PER="2m")
    assert (loaded.socket.rate.max, loaded.socket.rate.per) == (5, 60.0)
    assert (loaded.platform.rate.max, loaded.platform.rate.per) == (60, 120.0)


class TestBaseUrl:
    def test_is_used_if_the_url_is_not_set_otherwise(self, config: Path):
        other, own = "https://other.example", "https://own.example"
        assert settings(config, OBLIEN_BASE_URL=other).api.url == other
        assert settings(config, OBLIEN_BASE_URL="").api.url == "https://api.oblien.com"
        assert settings(config, OBLIEN_BASE_URL=other, NOTIFYD_API__URL=own).api.url == own

    def test_is_validated(self, config: Path):
        assert problems(config, OBLIEN_BASE_URL="http://other.example") == [
            (
                "OBLIEN_BASE_URL: api.url: http:// would send the token unencrypted; use https:// "
                "(http:// is accepted for loopback addresses only) (got 'http://other.example')"
            )
        ]


def test_settings_themselves_ignore_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NOTIFYD_BUDGET__MAX", "7")
    assert Settings().budget.max == 20
