import pytest

from notifyd.config.settings import Settings
from notifyd.shaping.summaries import summarize_one
from notifyd.triggers import Trigger
from notifyd.triggers.sample import sample_event

TRIGGERS = {
    "app": {
        "type": "log",
        "paths": "/var/log/**/app-*.log",
        "patterns": "(?P<level>ERROR) (?P<msg>.*)",
        "title": "{{ fields.level }}: {{ fields.msg }}",
        "data": {"file": "{{ path }}", "tags": ["{{ fields.level | upper }}", 3], "team": "x"},
    },
    "up": {"type": "file", "paths": "/srv/uploads/*"},
    "job": {"type": "process", "name": "train"},
    "daily": {"type": "schedule", "cron": "0 9 * * *"},
}
TITLES = {
    "app": "level: msg",
    "up": "up: created sample",
    "job": "job failed",
    "daily": "daily",
}


def trigger(name: str) -> Trigger:
    settings = Settings.model_validate({"triggers": {name: TRIGGERS[name]}})
    return Trigger(name, settings.triggers[name], settings.defaults)


@pytest.mark.parametrize("name", TRIGGERS)
def test_a_sample_renders_with_the_texts_of_its_trigger(name: str):
    own = trigger(name)
    title, body = own.render(summarize_one(sample_event(name, own.config, 1.7e9)), 1.7e9)
    assert title.startswith(TITLES[name])
    assert body


def test_the_values_of_data_are_templates():
    own = trigger("app")
    data = own.render_data(summarize_one(sample_event("app", own.config, 1.7e9)), 1.7e9)
    assert data == {"file": "/var/log/sample/app-sample.log", "tags": ["LEVEL", 3], "team": "x"}
