"""Write the reference pages from the code: `make docs`.

docs/configuration.md comes from the models in notifyd/config: the text of a key is the docstring
below its field. docs/commands.md comes from the help of the commands, and so do the
man pages in docs/man (man_pages.py).
"""

import ast
import builtins
import inspect
import io
import os
import types
import typing
from contextlib import redirect_stdout
from enum import Enum
from pathlib import Path
from typing import get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from notifyd.cli import COMMANDS, main
from notifyd.config.resource_limits import parse_clear, parse_limit
from notifyd.config.sections import RateConfig, Section
from notifyd.config.settings import Settings
from notifyd.config.template_sandbox import VARIABLES
from notifyd.config.times import parse_persistence
from notifyd.config.triggers import TRIGGER_TYPES, TriggerConfig
from notifyd.platform.endpoints import ENDPOINTS
from notifyd.text.durations import format_duration, format_size, parse_duration, parse_size

FOLDER = Path(__file__).parent

READERS = {
    parse_duration: "duration",
    parse_size: "size",
    parse_persistence: "duration or number of times",
    parse_limit: "limit",
    parse_clear: "limit, duration or number of times",
}
PLAIN = {BaseModel: "table", bool: "boolean", int: "integer", Path: "path"}

CONFIGURATION = f"""\
<!-- Written by `make docs` from notifyd/config. Edit the docstrings there. -->

# Configuration

The configuration is one TOML file and the drop-ins beside it. `notifyd check` reports all
mistakes at once, each with its place. [config.example.toml](../config.example.toml) shows every
key in use.

| what | where |
|---|---|
| file | `--config FILE`, else `$NOTIFYD_CONFIG`, else `$XDG_CONFIG_HOME/notifyd/config.toml` \
(`~/.config/…`), else `/etc/notifyd/config.toml` |
| drop-ins | `config.d/*.toml` beside the file, merged in the order of their names |
| environment | any key, such as `NOTIFYD_RATE_LIMIT__MAX=60`; it overrides the files |
| send token | `[api] token_file`, else the systemd credential `send-token`, else the file \
`send-token` beside the configuration, else the variables \
`NOTIFYD_SEND_TOKEN`, `OBLIEN_SEND_TOKEN`, `SEND_TOKEN`. Prefer a file: other programs of the same \
user can read the environment of a process |

- A **duration** carries its unit: `"500ms"`, `"2s"`, `"5m"`, `"1h30m"`, `"1d"`. So does a
  **size**: `"64KiB"`, `"10MiB"`.
- A **path** is absolute or begins with `~`.
- A **list** with one entry can be written as that entry alone.
- A **pattern** is a Python regular expression. Write it in single quotes: TOML leaves the
  backslashes in them alone.
- A **template** is Jinja2 in a sandbox. It can use
  {", ".join(f"`{name}`" for name in sorted(VARIABLES))}.
  `fields.NAME` is the named group `NAME` of a pattern.
"""

COMMANDS_PAGE = """\
<!-- Written by `make docs` from the help of the commands. Edit that. -->

# Commands

`run`, `demo`, `init`, `check`, `match`, `doctor` and `relay` work alone. The others talk to the
daemon on its socket: `--socket`, else `$NOTIFYD_SOCK`, else the first of
`$XDG_RUNTIME_DIR/notifyd.sock`, `~/.local/state/notifyd/notifyd.sock` and
`/run/notifyd/notifyd.sock` that answers.
"""

PLATFORM_PAGE = """\
<!-- Written by `make docs` from docs/generate.py and notifyd/platform/endpoints.py. -->

# The platform's API

notifyd reaches every endpoint of the platform: from the command line, from Python, and as
triggers. The client credentials come from `OBLIEN_CLIENT_ID` and `OBLIEN_CLIENT_SECRET`; the
address from `OBLIEN_BASE_URL`, else from `[api] url`.

## A token and the first push

```sh
notifyd token create --workspace ws_1 --save
notifyd send -t "Hello from the workspace"
```

`--save` writes the send token where the daemon reads it, readable by its user only. A daemon that
runs without a token keeps everything and uses the token within seconds.

## From the command line

```sh
notifyd api list sandbox
notifyd api GET /sandbox/sb_1/metrics --jq memory.used
notifyd api POST /projects -f name=demo -F 'settings={"private": true}'
notifyd api POST /ai/chat/upload -F file=@report.pdf
notifyd api GET /credits/history --paginate page --table
```

`-f` gives a text, `-F` a JSON value or a file. `--paginate page` counts pages, `--paginate offset`
counts items, `--paginate cursor=EXPR` takes the next value from the answer. Paths that the table
below does not list work as well. Rate limits and their Retry-After are waited for.

## From Python

```python
from notifyd.platform import Client

async with Client(client_id, client_secret) as client:
    metrics = await client.sandbox.metrics("sb_1")
    answer = await client.request("GET", "/workspace/ws_1")
```

Errors are subclasses of `PlatformError` and keep `status`, `code`, `details` and `request_id`. A
call is repeated only where that is safe. A session token is exchanged once when it is refused.

## As triggers

```toml
[triggers.credits-low]
type = "oblien"
get = "/credits/balance"
every = "5m"
value = "balance"              # JMESPath: which part of the answer
when = "< 5"                   # or "changed", the default
for = "10m"                    # only if it lasts
priority = "high"
```

Push: `credits-low: began | 4.2 (< 5)`, and its end. All triggers together stay within `[platform]
rate`, across restarts too; if they ask for more, all are polled less often and status says so. A
platform that does not answer and credentials that are refused are reported once each, never as a
changed value. The last value is stored together with the event, so `kill -9` repeats nothing.

A trigger with `webhook = "workload.failed"` (or `"workload.*"`) in place of `get` waits for the
platform to report the event by itself. Create a webhook there whose URL leads to
`/webhooks/oblien` on `tcp` in `[listen]`, and store its secret in `secret_file` in `[webhooks]`.
notifyd assumes that the platform signs the raw body with HMAC-SHA256 and sends the signature as
`X-Webhook-Signature`, in hexadecimal or base64, with or without `sha256=`; that the body is a JSON
object whose `event` or `type` is the name of the event; and that a repeated delivery has the same
`X-Webhook-Id`, `X-Webhook-Delivery` or `id`, or else the same body within 10 minutes. The values
of the body are `fields` by dotted names, such as `{{ fields['data.exit_code'] }}`.

## Endpoints

"watch": worth a trigger. Fields beyond those that a call needs pass through.
"""


def configuration() -> str:
    """Return docs/configuration.md."""
    parts = [CONFIGURATION.rstrip()]
    texts = field_texts(Settings)
    for name, field in Settings.model_fields.items():
        model = field.annotation
        if name == "triggers":
            parts += ["## `[triggers.NAME]`", texts[name]]
            parts += [
                "Every trigger has these keys and those of `[defaults]`.",
                table(TriggerConfig),
            ]
            for kind, trigger in TRIGGER_TYPES.items():
                parts += [f'### `type = "{kind}"`', table(trigger)]
            continue
        if get_origin(model) is dict:
            model = get_args(model)[1]
        heading = f"## `[{name}.NAME]`" if name == "mute" else f"## `[{name}]`"
        parts += [heading, texts[name], table(model)]
    return "\n\n".join(parts) + "\n"


def platform() -> str:
    """Return docs/platform.md."""
    rows = ["| group | call | request | needs | watch |", "|---|---|---|---|---|"]
    for each in ENDPOINTS:
        call = f"`client.{each.key}`"
        needs = f"`{each.needs}`" if each.needs else ""
        watch = "yes" if each.is_watchable else ""
        rows.append(f"| {each.group} | {call} | `{each.method} {each.path}` | {needs} | {watch} |")
    return PLATFORM_PAGE.rstrip() + "\n\n" + "\n".join(rows) + "\n"


def commands() -> str:
    """Return docs/commands.md."""
    parts = [COMMANDS_PAGE.rstrip(), block(help_of("--help"))]
    for name in COMMANDS:
        parts += [f"## `notifyd {name}`", block(help_of(name, "--help"))]
    return "\n\n".join(parts) + "\n"


def table(model: type[Section]) -> str:
    """Write the keys that a model adds to the models that it inherits from."""
    hints = typing.get_type_hints(model, include_extras=True)
    rows = ["| key | takes | default | |", "|---|---|---|---|"]
    for name, text in field_texts(model).items():
        field = model.model_fields[name]
        key = field.alias or name
        kind = "file mode" if name == "mode" else kind_of(hints[name])
        rows.append(f"| `{key}` | {kind} | {default(field, kind)} | {text} |")
    return "\n".join(rows)


def fields(model: type) -> list[tuple[ast.AnnAssign, ast.stmt | None]]:
    """Return the fields that a class itself declares, each with the statement below it."""
    (declared,) = ast.parse(inspect.getsource(model)).body
    below = [*declared.body[1:], None]
    return [
        (statement, following)
        for statement, following in zip(declared.body, below, strict=True)
        if isinstance(statement, ast.AnnAssign)
        and ast.unparse(statement.target) in getattr(model, "model_fields", {})
    ]


def field_texts(model: type) -> dict[str, str]:
    """Return the docstring below each field but `type`, which has a heading of its own."""
    found = {}
    for field, below in fields(model):
        name = ast.unparse(field.target)
        if name == "type":
            continue
        if not (isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)):
            raise SystemExit(f"{model.__name__}.{name} has no docstring below it")
        found[name] = " ".join(str(below.value.value).split())
    return found


def kind_of(hint: object) -> str:
    """Say what a key takes, from the type of its field."""
    arguments = get_args(hint)
    match get_origin(hint):
        case typing.Annotated:
            readers = [item.func for item in arguments[1:] if isinstance(item, BeforeValidator)]
            found = [READERS[reader] for reader in readers if reader in READERS]
            return found[0] if found else kind_of(arguments[0])
        case typing.Literal:
            return "one of " + ", ".join(f"`{choice}`" for choice in arguments)
        case types.UnionType | typing.Union:
            return kind_of(arguments[0])
        case builtins.list:
            item = kind_of(arguments[0])
            return f"list of {item}s" if item == "duration" else "list of text"
        case builtins.dict:
            return "table"
    kinds = PLAIN.items() if isinstance(hint, type) else ()
    return next((name for kind, name in kinds if issubclass(hint, kind)), "text")


def default(field: FieldInfo, kind: str) -> str:
    """Write a field's default as TOML; nothing for what its text explains."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if value is None or value in ([], {}) else f"`{toml(value, kind)}`"


def toml(value: object, kind: str) -> str:
    match value:
        case RateConfig():
            return f"{{ max = {value.max}, per = {toml(value.per, 'duration')} }}"
        case bool():
            return str(value).lower()
        case float():
            return f'"{format_duration(value)}"'
        case int() if kind == "size":
            return f'"{format_size(value)}"'
        case int() if kind == "file mode":
            return f'"{value:04o}"'
        case int():
            return str(value)
        case list():
            return f"[{', '.join(toml(item, '') for item in value)}]"
        case Enum():
            return f'"{value.value}"'
    return f'"{value}"'


def help_of(*words: str) -> str:
    os.environ["COLUMNS"] = "99"
    with redirect_stdout(io.StringIO()) as output:
        main(list(words))
    return output.getvalue()


def block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


if __name__ == "__main__":
    from man_pages import man_pages

    (FOLDER / "configuration.md").write_text(configuration())
    (FOLDER / "commands.md").write_text(commands())
    (FOLDER / "platform.md").write_text(platform())
    for stale in (FOLDER / "man").iterdir():
        stale.unlink()
    for name, page in man_pages().items():
        (FOLDER / "man" / name).write_text(page)
