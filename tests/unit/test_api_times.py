import re

from hypothesis import given
from hypothesis import strategies as st

from notifyd.api.times import add_iso_times

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["created", "until", "muted", "data", "x"]), inner)
    ),
    max_leaves=8,
)


def test_each_time_stands_beside_its_number():
    answer = add_iso_times({"notifications": [{"created": 1_700_000_000.25, "count": 3}]})
    (row,) = answer["notifications"]
    assert row["created"] == 1_700_000_000.25
    assert re.fullmatch(r"2023-11-1[45]T..:..:20.250[+-]..:..", row["created_iso"])
    assert row.keys() == {"created", "created_iso", "count"}


def test_times_by_name_and_what_senders_wrote():
    answer = add_iso_times({"muted": {"app": 1.7e9}, "data": {"created": 1.7e9}, "until": 0.0})
    assert answer["muted_iso"]["app"].startswith("2023-11-1")
    assert answer["data"] == {"created": 1.7e9}
    assert "until_iso" not in answer


@given(JSON)
def test_an_answer_of_any_shape_keeps_its_values(value):
    assert repr(_without_iso(add_iso_times(value))) == repr(value)


def _without_iso(value):
    if isinstance(value, list):
        return [_without_iso(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_iso(value[key]) for key in value if not key.endswith("_iso")}
    return value
