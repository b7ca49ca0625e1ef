from notifyd.text.suggestions import closest_match, did_you_mean


def test_the_closest_name_whatever_its_case():
    assert closest_match("LEVLE", ["label", "Level"]) == "Level"
    assert closest_match("xyzzy", ["label", "level"]) == ""
    assert closest_match("x", []) == ""


def test_a_very_long_word_is_compared_by_its_beginning():
    assert closest_match("a" * 1_000_000, ["a" * 64, "b"]) == "a" * 64


def test_the_hint_goes_on_a_sentence():
    assert did_you_mean("levle", {"level"}) == "; did you mean 'level'?"
    assert did_you_mean("levle", {"level"}, prefix="fields.") == "; did you mean 'fields.level'?"
    assert did_you_mean("xyzzy", {"level"}) == ""
