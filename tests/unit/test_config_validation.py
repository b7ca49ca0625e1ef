"""Any table is either refused with readable lines or makes valid settings."""

import copy
import datetime as dt
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from notifyd.config.errors import ErrorReport, Origins
from notifyd.config.sections import Section, fields_by_key
from notifyd.config.settings import Settings
from notifyd.config.triggers import TRIGGER_TYPES
from notifyd.config.validation import validate
from notifyd.text.limits import strip_control_from_title
from support.examples import examples

SECTIONS = {
    name: field.annotation
    for name, field in Settings.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
VALUES = st.one_of(
    st.sampled_from(["5m", "0s", "64KiB", "0660", "/x", "~/x", "x", "(", "{{ x }}", "", "path"]),
    st.sampled_from(["(?P<a>x)", "{{ fields.a }}", "created", "exit", "high", "log", "utf-8"]),
    st.sampled_from([[], {}, ["x"], ["x", "x"], [1], [["x"]], {"a": 1}, {"max": 1, "per": "1s"}]),
    st.sampled_from([dt.date(2020, 1, 1), float("nan"), 1 << 70, True, 1.5]),
    st.integers(-1, 100_001),
    st.text(max_size=5),
)


def table(keys: list[str]) -> st.SearchStrategy[object]:
    key = st.sampled_from([*keys, "mute", "stale", "unknown"])
    return st.dictionaries(key, VALUES, max_size=8) | VALUES


def trigger(kind: str) -> st.SearchStrategy[object]:
    required = {"log": {"paths": ["/x"], "patterns": ["x"]}, "file": {"paths": ["/x"]}}
    base = {"type": kind, **required.get(kind, {"name": "x"})}
    return table([*fields_by_key(TRIGGER_TYPES[kind])]).map(
        lambda own: base | own if isinstance(own, dict) else own
    )


TABLES = st.fixed_dictionaries(
    {},
    optional={
        **{name: table([*fields_by_key(model)]) for name, model in SECTIONS.items()},
        "triggers": st.dictionaries(
            st.sampled_from(["a", "b", "c"]) | st.text(max_size=3),
            st.sampled_from([*TRIGGER_TYPES]).flatmap(trigger),
            max_size=3,
        )
        | VALUES,
        "mute": VALUES,
    },
)


@given(TABLES)
@examples(80, 1000)
def test_a_table_is_refused_with_readable_lines_or_makes_settings(given_table: dict[str, object]):
    merged = copy.deepcopy(given_table)
    report = ErrorReport(Origins())
    validate(merged, report)
    if not report.errors:
        Settings.model_validate(merged)
    for line in (*report.errors, *report.warnings):
        assert line == strip_control_from_title(line)
        assert "input should" not in line.lower()
        assert "value error" not in line.lower()


def test_paths_are_expanded_in_the_settings():
    file = {"type": "file", "paths": "~/a/**", "ignore": ["~/b"]}
    loaded = Settings.model_validate({"triggers": {"a": file}, "state": {"dir": "~/s"}})
    home = Path.home()
    found = loaded.triggers["a"].model_dump(include={"paths", "ignore"})
    assert found == {"paths": [f"{home}/a/**"], "ignore": [f"{home}/b"]}
    assert loaded.state.dir == home / "s"
