"""The server of `notifyd mcp`, by the package mcp.

It answers clients of revision 2026-07-28, which has no handshake, and those of earlier ones.
"""

import asyncio

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from notifyd import __version__
from notifyd.cli.mcp_tools import INSTRUCTIONS, TOOLS, Tool, call_tool
from notifyd.model.errors import NotifydError

_TOOLS = {tool.name: tool for tool in TOOLS}


def serve(socket_path: str | None) -> None:
    """Answer requests on stdin until it ends. socket_path: of the daemon, if it was named."""
    asyncio.run(_serve(socket_path))


async def _serve(socket_path: str | None) -> None:
    async def list_tools(_context: object, _params: object) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_declaration(tool) for tool in TOOLS])

    async def call(_context: object, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = _TOOLS.get(params.name)
        if tool is None:
            known = ", ".join(_TOOLS)
            raise MCPError(types.INVALID_PARAMS, f"unknown tool {params.name!r}; use {known}")
        try:
            # The daemon's client blocks, and other requests are answered meanwhile.
            answer = await asyncio.to_thread(call_tool, tool, params.arguments or {}, socket_path)
        except NotifydError as error:
            return _result(str(error), is_error=True)
        except Exception as error:  # noqa: BLE001 - the agent goes on with the other tools
            return _result(f"internal error: {type(error).__name__}: {error}", is_error=True)
        return _result(answer.text, answer.content)

    server = Server(
        "notifyd",
        version=__version__,
        title="notifyd",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call,
    )
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


def _declaration(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.arguments.model_json_schema(),
        output_schema=tool.output,
        annotations=types.ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=tool.open_world,
        ),
    )


def _result(
    text: str, content: dict[str, object] | None = None, *, is_error: bool = False
) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)],
        structured_content=content,
        is_error=is_error,
    )
