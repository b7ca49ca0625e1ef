import pytest
from jinja2.exceptions import SecurityError

from notifyd.config.templates import NAMES, SANDBOX, groups, mistake


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_of_the_contract_is_known(name: str):
    assert mistake(f"{{{{ {name} }}}}") is None


@pytest.mark.parametrize(
    "source",
    [
        "{% for line in lines %}{{ loop.index }} {{ line | upper }}{% endfor %}",
        "{% set x = count + 1 %}{{ x }}",
        "{% for number in range(3) %}{{ number }}{% endfor %}",
        "plain",
        "",
    ],
)
def test_what_jinja_offers_is_there(source: str):
    assert mistake(source) is None


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ line }", "bad template, line 1: unexpected '}'"),
        ("\n\n{% if %}", "bad template, line 3: "),
        ("{{ line | shout }}", "No filter named 'shout'"),
        ("{{ cuont }}", "unknown name 'cuont': did you mean 'count'?"),
        (
            "{{ xyzzy }} {{ cuont }}",
            "unknown name 'xyzzy': there are after, before, cmdline, count",
        ),
        ("{{ lipsum() }} {{ cycler }}", "unknown name 'lipsum'"),
        ("{% import 'x' as y %}", "include, import and extends are not available"),
        ("{{" + "(" * 900 + "1" + ")" * 900 + "}}", "nested too deeply"),
    ],
)
def test_mistakes(source: str, words: str):
    assert words in str(mistake(source))


def test_the_groups_that_a_template_uses():
    assert [*groups("{{ fields.a or fields['b'] }} {{ line.c }}")] == ["a", "b"]
    assert [*groups("{{ fields.a")] == []


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ 1000000000 * 'x' }}",
        "{{ 10 ** 10 ** 10 }}",
        "{% for i in range(1000000000) %}x{% endfor %}",
    ],
)
def test_work_without_bounds_is_refused(source: str):
    with pytest.raises(SecurityError):
        SANDBOX.from_string(source).render()


@pytest.mark.parametrize(
    "source",
    ["{{ line.__class__ }}", "{{ line['__class__'] }}", "{{ line|attr('__class__') }}"],
)
def test_internals_are_out_of_reach(source: str):
    assert not SANDBOX.from_string(source).render(line="x")


def test_plain_sums_still_work():
    template = SANDBOX.from_string("{{ count * 3 }} {{ line * 2 }} {{ '-' * 20 }}")
    assert template.render(count=3, line="ab") == f"9 abab {'-' * 20}"
