"""Writes groups.py, the client's typed methods, from the table of endpoints.

Run `make platform` after a change of the table; a test keeps the committed file current.
"""

from pathlib import Path

from notifyd.platform.endpoints import ENDPOINTS, GROUPS, Endpoint

_HEAD = '''"""The endpoints as typed methods. Written by codegen.py from its table: do not edit."""

from pathlib import Path
from typing import Any

from notifyd.platform.answers import Answer
from notifyd.platform.endpoint_group import EndpointCaller, EndpointGroup
'''


def class_name(group: str) -> str:
    return f"{group.capitalize()}Group"


def render() -> str:
    """Write the whole module."""
    parts = [_HEAD]
    for group in GROUPS:
        parts.append(f"\n\nclass {class_name(group)}(EndpointGroup):")
        methods = [_method(endpoint) for endpoint in ENDPOINTS if endpoint.group == group]
        parts.append("\n" + "\n\n".join(methods) + "\n")
    parts.append('\n\nclass Groups:\n    """The groups as attributes of the client."""\n\n')
    parts.append("    def __init__(self, caller: EndpointCaller) -> None:\n")
    parts += [f"        self.{group} = {class_name(group)}(caller)\n" for group in GROUPS]
    return "".join(parts)


def _method(endpoint: Endpoint) -> str:
    summary = endpoint.summary[0].upper() + endpoint.summary[1:]
    doc = f'        """{summary}: {endpoint.method} {endpoint.path}."""\n'
    if endpoint.upload:
        return (
            f"    async def {endpoint.name}(\n"
            "        self, *files: str | Path, **fields: str\n"
            "    ) -> Answer:\n"
            f"{doc}"
            f'        return await self._caller.upload("{endpoint.path}", files, fields)'
        )
    parameters = ["self", *(f"{name}: str | int" for name in endpoint.path_parameters)]
    known = [f"{name}: Any" for name in endpoint.required]
    known += [f"{name}: Any = None" for name in endpoint.optional]
    parameters += ["*", *known] if known else []
    parameters.append("**fields: Any" + ("," if len(known) > 2 else ""))  # noqa: PLR2004 - a line
    path = ", ".join(f'"{name}": {name}' for name in endpoint.path_parameters)
    names = [*endpoint.required, *endpoint.optional]
    items = [*(f'"{name}": {name}' for name in names), "**fields"]
    fields = "{" + ", ".join(items) + ("," if len(names) > 2 else "") + "}"  # noqa: PLR2004 - a line
    return (
        f"    async def {endpoint.name}(\n"
        f"        {', '.join(parameters)}\n"
        "    ) -> Answer:\n"
        f"{doc}"
        "        return await self._caller.call(\n"
        f'            "{endpoint.key}", {{{path}}}, {fields if names else "fields"}\n'
        "        )"
    )


if __name__ == "__main__":
    Path(__file__).with_name("groups.py").write_text(render(), encoding="utf-8")
