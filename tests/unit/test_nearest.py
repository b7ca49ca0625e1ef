from notifyd.nearest import hint, nearest


def test_the_closest_name_whatever_its_case():
    assert nearest("LEVLE", ["label", "Level"]) == "Level"
    assert nearest("xyzzy", ["label", "level"]) == ""
    assert nearest("x", []) == ""


def test_a_very_long_word_is_compared_by_its_beginning():
    assert nearest("a" * 1_000_000, ["a" * 64, "b"]) == "a" * 64


def test_the_hint_goes_on_a_sentence():
    assert hint("levle", {"level"}) == "; did you mean 'level'?"
    assert hint("levle", {"level"}, prefix="fields.") == "; did you mean 'fields.level'?"
    assert hint("xyzzy", {"level"}) == ""
