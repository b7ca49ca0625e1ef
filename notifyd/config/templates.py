"""Templates of titles, bodies and data. Jinja is imported for the first one that is used."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


def template_error(source: str) -> str | None:
    """Return why a template cannot be rendered; None if nothing is known to be wrong."""
    from notifyd.config import template_sandbox

    return template_sandbox.template_error(source)


def referenced_fields(source: str) -> Iterator[str]:
    """Return the names after `fields.` in a template; nothing if its syntax is invalid."""
    if "fields" not in source:
        return iter(())
    from notifyd.config import template_sandbox

    return template_sandbox.referenced_fields(source)


def compile_template(source: str) -> "Template":
    """Compile a template that has no `template_error`."""
    from notifyd.config import template_sandbox

    return template_sandbox.SANDBOX.from_string(source)
