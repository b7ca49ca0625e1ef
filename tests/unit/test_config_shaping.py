import pytest

from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import (
    FileTriggerConfig,
    LogTriggerConfig,
    ProcessTriggerConfig,
)

LOG = {"paths": ["/x"], "patterns": ["x"]}


def log(**keys: object) -> LogTriggerConfig:
    return LogTriggerConfig.model_validate(LOG | keys)


@pytest.mark.parametrize("trigger", [log(), FileTriggerConfig(paths=["/x"])])
def test_defaults_of_log_and_file_triggers(trigger: LogTriggerConfig | FileTriggerConfig):
    shaping = trigger.shaping(ShapingConfig())
    assert (shaping.debounce, shaping.max_wait) == (2.0, 30.0)
    assert (shaping.cooldown, shaping.cooldown_max) == (300.0, 3600.0)
    assert (shaping.threshold, shaping.window) == (1, 60.0)
    assert (shaping.group_by, shaping.max_groups) == ((), 1000)


def test_defaults_of_process_triggers():
    shaping = ProcessTriggerConfig(name="x").shaping(ShapingConfig())
    assert (shaping.debounce, shaping.max_wait, shaping.group_by) == (
        0.0,
        30.0,
        ("name", "outcome"),
    )


def test_own_keys_beat_defaults_which_beat_those_of_the_type():
    defaults = ShapingConfig.model_validate(
        {"debounce": "5s", "cooldown": "0s", "group_by": "path"}
    )
    shaping = log(debounce="7s").shaping(defaults)
    assert (shaping.debounce, shaping.cooldown, shaping.group_by) == (7.0, 0.0, ("path",))
    assert log(group_by=[]).shaping(defaults).group_by == ()


def test_zero_counts_as_set():
    defaults = ShapingConfig.model_validate({"debounce": "5s", "cooldown": "5m"})
    shaping = log(debounce="0s", cooldown="0s").shaping(defaults)
    assert (shaping.debounce, shaping.cooldown) == (0.0, 0.0)


@pytest.mark.parametrize(("debounce", "max_wait"), [("1s", 30.0), ("10s", 40.0), ("1h", 14400.0)])
def test_max_wait_follows_debounce(debounce: str, max_wait: float):
    assert log(debounce=debounce).shaping(ShapingConfig()).max_wait == max_wait


def test_cooldown_max_is_never_less_than_cooldown():
    assert log(cooldown="3h").shaping(ShapingConfig()).cooldown_max == 10800.0
