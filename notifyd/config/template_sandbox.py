"""The sandboxed Jinja2 environment of titles and bodies, and static checks of templates."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from jinja2 import ChainableUndefined, TemplateSyntaxError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context

from notifyd.text.suggestions import did_you_mean

VARIABLES = frozenset(
    {
        *("trigger", "type", "count", "first", "last", "host", "workspace"),
        *("path", "paths", "line", "first_line", "lines", "fields", "before", "after", "trace"),
        *("state", "reminder", "value"),
        *("pid", "name", "cmdline", "exit_code", "signal", "outcome", "duration", "unit"),
        *("result", "restarts"),
    }
)
"""The variables that a template may use."""

_MAX_RANGE = 10_000
_MAX_REPEATED = 10_000
"""Characters or items that a multiplication may produce."""
_MAX_STEPS = 10_000
"""Loop iterations and calls in one rendering, nested ones included."""
_COUNT_STEPS = "(count steps)"
"""The filter added to every loop; no template can spell this name."""


_TOKENS = {
    "'end of print statement'": "'}}'",
    "'end of statement block'": "'%}'",
    "token 'name'": "a name",
    "token ": "",
}
"""Jinja's names of what a template contains, and how it is written."""
_REASONS = tuple(
    (re.compile(pattern, re.DOTALL), reason)
    for pattern, reason in (
        (r"expected (.*), got ('.*')", r"expected \1 before \2"),
        (r"Expected an expression, got ('.*')", r"a value is missing before \1"),
        (r"unexpected '}'", "unexpected '}'; '{{' is closed by '}}'"),
        (r"unexpected end of template, expected ('.*')", r"\1 is missing at the end"),
        (
            r"Unexpected end of template.* needs to be closed is '(\w+)'",
            r"'{% \1 %}' is not closed; add '{% end\1 %}'",
        ),
        (r"Missing end of comment tag", r"'{#' is not closed; add '#}'"),
        (r"unexpected char ('.*') at \d+", r"unexpected character \1"),
        (r"No filter named '(?P<filter>.*)'", r"no filter named '\g<filter>'"),
        (r"No test named ('.*')", r"no test named \1"),
        (r"Encountered unknown tag '(\w+)'.*", r"there is no tag '{% \1 %}' to use here"),
    )
)
"""Messages of Jinja's parser, and what they mean in plain words."""


class _Context(Context):
    """The context of one rendering: counts its steps, including those in blocks."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.steps = [0]

    def derived(self, locals: dict[str, Any] | None = None) -> Context:  # noqa: A002 - Jinja's name
        context = super().derived(locals)
        if isinstance(context, _Context):
            context.steps = self.steps
        return context

    def step(self) -> None:
        self.steps[0] += 1
        if self.steps[0] > _MAX_STEPS:
            raise SecurityError(f"more than {_MAX_STEPS} loop iterations and calls")


class _Sandbox(ImmutableSandboxedEnvironment):
    """Denies access to internals, and operations that take unbounded memory or time."""

    intercepted_binops = frozenset({"*", "**"})
    context_class = _Context

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            counting = nodes.Filter(loop.iter, _COUNT_STEPS, [], [], None, None, lineno=loop.lineno)
            loop.iter = counting.set_environment(self)
        return tree

    def call(self, context: Any, called: Any, /, *args: Any, **keywords: Any) -> Any:
        context.step()
        if isinstance(called, LoopContext):  # a recursive loop iterates over its argument
            args = tuple(_count_steps(context, items) for items in args)
        return super().call(context, called, *args, **keywords)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if operator == "**" or (numbers and max(abs(left), abs(right)) > 1e30):  # noqa: PLR2004 - above any count
            raise SecurityError(f"operator {operator} is not allowed for these values")
        if not numbers and max(_length(left), 1) * max(_length(right), 1) > _MAX_REPEATED:
            raise SecurityError("repeated text is too long")
        return super().call_binop(context, operator, left, right)


@pass_context
def _count_steps(context: _Context, items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        context.step()
        yield item


def _length(value: object) -> int:
    if isinstance(value, int):
        return abs(value)
    return len(value) if isinstance(value, (str, list, tuple)) else 0


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > _MAX_RANGE:
        raise SecurityError(f"range of more than {_MAX_RANGE} numbers")
    return numbers


def _sandbox() -> _Sandbox:
    sandbox = _Sandbox(
        autoescape=False,
        undefined=ChainableUndefined,
        finalize=lambda value: "" if value is None else value,
    )
    sandbox.filters[_COUNT_STEPS] = _count_steps
    sandbox.globals = {"range": _range, "namespace": sandbox.globals["namespace"]}
    return sandbox


SANDBOX = _sandbox()


def template_error(source: str) -> str | None:
    """Return why a template cannot be rendered; None if nothing is known to be wrong."""
    try:
        tree = SANDBOX.parse(source)
        SANDBOX.from_string(source)
    except TemplateSyntaxError as error:
        return f"invalid template, line {error.lineno}: {_plain_reason(error.message or '')}"
    except (RecursionError, OverflowError, MemoryError):
        return "invalid template: nested too deeply"
    if next(meta.find_referenced_templates(tree), tree) is not tree:
        return "invalid template: include, import and extends are not available"
    unknown = sorted(meta.find_undeclared_variables(tree) - VARIABLES - SANDBOX.globals.keys())
    if not unknown:
        return None
    return f"invalid template: {'; '.join(map(_unknown_variable, unknown))}"


def _plain_reason(message: str) -> str:
    """Rewrite a message of Jinja's parser for people who do not know its terms."""
    message = message.rstrip(".")
    for token, text in _TOKENS.items():
        message = message.replace(token, text)
    for pattern, reason in _REASONS:
        if found := pattern.fullmatch(message):
            name = found.groupdict().get("filter")
            hint = did_you_mean(name, SANDBOX.filters) if name else ""
            return found.expand(reason) + hint
    return message[:1].lower() + message[1:]


def referenced_fields(source: str) -> Iterator[str]:
    """Yield the names after `fields.` in a template; nothing if its syntax is invalid."""
    try:
        tree = SANDBOX.parse(source)
    except (TemplateSyntaxError, RecursionError):
        return
    for attribute in tree.find_all(nodes.Getattr):
        if _is_fields(attribute.node):
            yield attribute.attr
    for item in tree.find_all(nodes.Getitem):
        if _is_fields(item.node) and isinstance(item.arg, nodes.Const):
            yield str(item.arg.value)


def _unknown_variable(name: str) -> str:
    hint = did_you_mean(name, VARIABLES) or f"; known are {', '.join(sorted(VARIABLES))}"
    return f"unknown variable '{name}'{hint}"


def _is_fields(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "fields"
