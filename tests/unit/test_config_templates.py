import pytest
from jinja2.exceptions import SecurityError

from notifyd.config.template_sandbox import SANDBOX, VARIABLES, referenced_fields, template_error


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_every_variable_of_the_contract_is_known(name: str):
    assert template_error(f"{{{{ {name} }}}}") is None


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
def test_jinja_features_are_available(source: str):
    assert template_error(source) is None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ line }", "invalid template, line 1: unexpected '}'; '{{' is closed by '}}'"),
        ("{{ line", "line 1: '}}' is missing at the end"),
        ("{{ line line }}", "line 1: expected '}}' before 'line'"),
        ("{{ }}", "line 1: a value is missing before '}}'"),
        ("{% if line %}x", "line 1: '{% if %}' is not closed; add '{% endif %}'"),
        ("{% endif %}", "line 1: there is no tag '{% endif %}' to use here"),
        ("{{ line | uper }}", "no filter named 'uper'; did you mean 'upper'?"),
        ("{# x", "line 1: '{#' is not closed; add '#}'"),
        ("\n\n{% if %}", "invalid template, line 3: "),
        ("{{ line | shout }}", "no filter named 'shout'"),
        ("{{ cuont }}", "unknown variable 'cuont'; did you mean 'count'?"),
        (
            "{{ xyzzy }} {{ cuont }}",
            "unknown variable 'xyzzy'; known are after, before, cmdline, count",
        ),
        ("{{ lipsum() }} {{ cycler }}", "unknown variable 'lipsum'"),
        ("{% import 'x' as y %}", "include, import and extends are not available"),
        ("{{" + "(" * 900 + "1" + ")" * 900 + "}}", "nested too deeply"),
    ],
)
def test_errors(source: str, message: str):
    assert message in str(template_error(source))


def test_the_fields_that_a_template_uses():
    assert [*referenced_fields("{{ fields.a or fields['b'] }} {{ line.c }}")] == ["a", "b"]
    assert [*referenced_fields("{{ fields.a")] == []


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
def test_unbounded_work_is_refused(source: str):
    with pytest.raises(SecurityError):
        SANDBOX.from_string(source).render()


@pytest.mark.parametrize(
    "source",
    ["{{ line.__class__ }}", "{{ line['__class__'] }}", "{{ line|attr('__class__') }}"],
)
def test_internals_are_not_accessible(source: str):
    assert not SANDBOX.from_string(source).render(line="x")


NESTED = """\
{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}\
{% endfor %}{% endfor %}{% endfor %}"""
CALLS = """\
{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}"""
RECURSIVE = """\
{% for a in range(10) recursive %}{% if loop.depth < 4 %}{{ loop(range(100)) }}{% endif %}\
{% endfor %}"""
BLOCKS = "{% block b0 %}{% endblock %}" + "".join(
    f"{{% block b{n + 1} %}}{{{{ self.b{n}() }}}}{{{{ self.b{n}() }}}}{{% endblock %}}"
    for n in range(30)
)
MACRO = """\
{% macro m(a) %}{% for b in a %}{% endfor %}{% endmacro %}\
{% for a in range(100) %}{{ m(range(1000)) }}{% endfor %}"""


@pytest.mark.parametrize(
    "source",
    [
        NESTED,
        CALLS,
        RECURSIVE,
        BLOCKS,
        "{% for a in 'x' * 9999 %}{% for b in 'x' * 9999 %}{% endfor %}{% endfor %}",
        "{% for a in range(9999) if a > 0 %}{% for b in [1] %}{% endfor %}{% endfor %}",
        MACRO,
    ],
)
def test_nested_work_is_limited(source: str):
    assert template_error(source) is None
    with pytest.raises(SecurityError, match="more than 10000 loop iterations and calls"):
        SANDBOX.from_string(source).render()


def test_each_rendering_has_its_own_limit():
    template = SANDBOX.from_string("{% for a in range(9000) %}{% endfor %}{{ count }}")
    assert [template.render(count=number) for number in range(3)] == ["0", "1", "2"]


def test_loop_variables_work():
    source = (
        "{% for a in lines %}{{ loop.index }}/{{ loop.length }}{{ a }}"
        "{{ ',' if not loop.last }}{% endfor %}{% for a in missing %}{% else %}!{% endfor %}"
    )
    assert SANDBOX.from_string(source).render(lines=["x", "y"]) == "1/2x,2/2y!"


def test_recursive_loops_work():
    source = "{% for a in tree recursive %}{{ a.n }}{{ loop(a.c) }}{% endfor %}"
    tree = [{"n": 1, "c": [{"n": 2, "c": []}]}, {"n": 3, "c": []}]
    assert SANDBOX.from_string(source).render(tree=tree) == "123"


def test_plain_arithmetic_works():
    template = SANDBOX.from_string("{{ count * 3 }} {{ line * 2 }} {{ '-' * 20 }}")
    assert template.render(count=3, line="ab") == f"9 abab {'-' * 20}"
