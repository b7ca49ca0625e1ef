"""The sandbox that titles and bodies are written in, and what can be known wrong of a template."""

from collections.abc import Iterable, Iterator
from typing import Any

from jinja2 import ChainableUndefined, TemplateSyntaxError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context

from notifyd.text.suggestions import did_you_mean

NAMES = frozenset(
    {
        *("trigger", "type", "count", "first", "last", "host", "workspace"),
        *("path", "paths", "line", "first_line", "lines", "fields", "before", "after"),
        *("state", "reminder"),
        *("pid", "name", "cmdline", "exit_code", "signal", "duration", "unit"),
    }
)
"""What a template may use."""

_LONGEST_RANGE = 10_000
_LONGEST_REPEAT = 10_000
_MOST_STEPS = 10_000
"""Turns of loops and calls, all nested ones counted, in one rendering."""
_COUNTED = "(counted)"
"""The filter behind every loop: no template can write this name."""


class _Context(Context):
    """One rendering: it knows how many steps it has made, also in blocks."""

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
        if self.steps[0] > _MOST_STEPS:
            raise SecurityError(f"it takes more than {_MOST_STEPS} turns of loops and calls")


class _Sandbox(ImmutableSandboxedEnvironment):
    """No access to internals, and no arithmetic that takes all memory or time."""

    intercepted_binops = frozenset({"*", "**"})
    context_class = _Context

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            counted = nodes.Filter(loop.iter, _COUNTED, [], [], None, None, lineno=loop.lineno)
            loop.iter = counted.set_environment(self)
        return tree

    def call(self, context: Any, called: Any, /, *args: Any, **keywords: Any) -> Any:
        context.step()
        if isinstance(called, LoopContext):  # a recursive loop goes on with what it is given
            args = tuple(_counted(context, items) for items in args)
        return super().call(context, called, *args, **keywords)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if operator == "**" or (numbers and max(abs(left), abs(right)) > 1e30):  # noqa: PLR2004 - beyond any count
            raise SecurityError(f"{operator} is not available on such values")
        if not numbers and max(_length(left), 1) * max(_length(right), 1) > _LONGEST_REPEAT:
            raise SecurityError("the repeated text is too long")
        return super().call_binop(context, operator, left, right)


@pass_context
def _counted(context: _Context, items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        context.step()
        yield item


def _length(value: object) -> int:
    if isinstance(value, int):
        return abs(value)
    return len(value) if isinstance(value, (str, list, tuple)) else 0


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > _LONGEST_RANGE:
        raise SecurityError(f"a range of more than {_LONGEST_RANGE} numbers is refused")
    return numbers


def _sandbox() -> _Sandbox:
    sandbox = _Sandbox(
        autoescape=False,
        undefined=ChainableUndefined,
        finalize=lambda value: "" if value is None else value,
    )
    sandbox.filters[_COUNTED] = _counted
    sandbox.globals = {"range": _range, "namespace": sandbox.globals["namespace"]}
    return sandbox


SANDBOX = _sandbox()


def mistake(source: str) -> str | None:
    """Say what is wrong with a template; None when it can be rendered."""
    try:
        tree = SANDBOX.parse(source)
        SANDBOX.from_string(source)
    except TemplateSyntaxError as error:
        return f"bad template, line {error.lineno}: {(error.message or '').rstrip('.')}"
    except (RecursionError, OverflowError, MemoryError):
        return "bad template: it is nested too deeply"
    if next(meta.find_referenced_templates(tree), tree) is not tree:
        return "bad template: include, import and extends are not available"
    unknown = sorted(meta.find_undeclared_variables(tree) - NAMES - SANDBOX.globals.keys())
    if not unknown:
        return None
    return f"bad template: {'; '.join(map(_unknown, unknown))}"


def _unknown(name: str) -> str:
    return f"unknown name '{name}'" + (
        did_you_mean(name, NAMES) or f": there are {', '.join(sorted(NAMES))}"
    )


def groups(source: str) -> Iterator[str]:
    """Name the fields (named groups of a pattern) that a template uses, if it is well-formed."""
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


def _is_fields(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "fields"
