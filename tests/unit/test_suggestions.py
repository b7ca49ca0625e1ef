from notifyd.text.suggestions import closest_match, did_you_mean


def test_the_closest_name_is_found_in_any_case():
    assert closest_match("LEVLE", ["label", "Level"]) == "Level"
    assert closest_match("xyzzy", ["label", "level"]) == ""
    assert closest_match("x", []) == ""


def test_only_the_beginning_of_a_long_word_is_compared():
    assert closest_match("a" * 1_000_000, ["a" * 64, "b"]) == "a" * 64


def test_the_question_names_the_closest_match():
    assert did_you_mean("levle", {"level"}) == "; did you mean 'level'?"
    assert did_you_mean("levle", {"level"}, prefix="fields.") == "; did you mean 'fields.level'?"
    assert did_you_mean("xyzzy", {"level"}) == ""
