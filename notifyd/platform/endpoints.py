"""Every endpoint of the platform's reference. Client, command line and docs follow this table.

The table helps, it does not fence in: a method and path that it does not know pass through.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_PARAMETER = re.compile(r":([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint.

    path: with `:name` where a parameter goes. required, optional: the fields that the reference
    names, of the JSON body or, where the method is GET, of the query; any others pass through.
    is_watchable: a GET whose answer is worth a trigger. upload: the body is multipart/form-data.
    """

    group: str
    name: str
    method: str
    path: str
    summary: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    is_watchable: bool = False
    upload: bool = False

    @property
    def key(self) -> str:
        """The name in code: "sandbox.metrics"."""
        return f"{self.group}.{self.name}"

    @property
    def path_parameters(self) -> tuple[str, ...]:
        return tuple(_PARAMETER.findall(self.path))

    @property
    def needs(self) -> str:
        """What a caller must give, in a few words: path parameters, then fields."""
        return ", ".join((*self.path_parameters, *self.required))


def _get(group: str, name: str, path: str, summary: str, *optional: str) -> Endpoint:
    return Endpoint(group, name, "GET", path, summary, optional=optional)


def _watch(group: str, name: str, path: str, summary: str, *optional: str) -> Endpoint:
    return Endpoint(group, name, "GET", path, summary, optional=optional, is_watchable=True)


def _post(group: str, name: str, path: str, summary: str, *fields: str) -> Endpoint:
    return _write(group, name, "POST", path, summary=summary, fields=fields)


def _put(group: str, name: str, path: str, summary: str, *fields: str) -> Endpoint:
    return _write(group, name, "PUT", path, summary=summary, fields=fields)


def _delete(group: str, name: str, path: str, summary: str) -> Endpoint:
    return Endpoint(group, name, "DELETE", path, summary)


def _write(
    group: str, name: str, method: str, path: str, *, summary: str, fields: Sequence[str]
) -> Endpoint:
    """Make the row of a method with a JSON body; a field whose name ends in "?" is optional."""
    required = tuple(field for field in fields if not field.endswith("?"))
    optional = tuple(field[:-1] for field in fields if field.endswith("?"))
    return Endpoint(group, name, method, path, summary, required, optional)


ENDPOINTS: tuple[Endpoint, ...] = (
    _post(
        "sessions",
        "create",
        "/ai/session/create",
        "start a session of an agent",
        "agent_id",
        "namespace",
        "end_user_id",
    ),
    _watch("sessions", "list", "/ai/session/list", "list sessions"),
    _watch("sessions", "get", "/ai/session/:session_id", "show one session"),
    _watch("sessions", "history", "/ai/session/:session_id/history", "list a session's messages"),
    _post(
        "sessions",
        "create_token",
        "/ai/session/:session_id/token/create",
        "create a session token",
    ),
    _post("sessions", "refresh_token", "/ai/session/token/refresh", "exchange a session token"),
    _post("chat", "send", "/ai/chat/send", "send a message to an agent"),
    Endpoint("chat", "upload", "POST", "/ai/chat/upload", "upload files", upload=True),
    _watch("chat", "history", "/ai/session/history", "list the messages of the token's session"),
    _post("chat", "prepare", "/ai/session/prepare", "prepare a session before its first message"),
    _watch("agents", "list", "/ai/agents", "list agents"),
    _post("agents", "create", "/ai/agents", "create an agent"),
    _watch("agents", "get", "/ai/agents/:agent_id", "show one agent"),
    _put("agents", "update", "/ai/agents/:agent_id", "change an agent"),
    _delete("agents", "delete", "/ai/agents/:agent_id", "delete an agent"),
    _watch("agents", "settings", "/ai/agents/:agent_id/settings", "show an agent's settings"),
    _put("agents", "update_settings", "/ai/agents/:agent_id/settings", "change its settings"),
    _watch("sandbox", "list", "/sandbox", "list sandboxes"),
    _post("sandbox", "create", "/sandbox", "create a sandbox"),
    _watch("sandbox", "get", "/sandbox/:sandbox_id", "show one sandbox"),
    _delete("sandbox", "delete", "/sandbox/:sandbox_id", "delete a sandbox"),
    _post("sandbox", "start", "/sandbox/:sandbox_id/start", "start a sandbox"),
    _post("sandbox", "stop", "/sandbox/:sandbox_id/stop", "stop a sandbox"),
    _post("sandbox", "restart", "/sandbox/:sandbox_id/restart", "restart a sandbox"),
    _watch("sandbox", "metrics", "/sandbox/:sandbox_id/metrics", "show CPU, memory and disk use"),
    _post("search", "search", "/search", "search the web"),
    _post("search", "extract", "/search/extract", "extract the text of pages"),
    _post("search", "crawl", "/search/crawl", "crawl a site"),
    _watch("credits", "balance", "/credits/balance", "show the balance"),
    _watch("credits", "namespace_quota", "/credits/namespace-quota", "show namespace quotas"),
    _post(
        "credits",
        "set_namespace_quota",
        "/credits/namespace-quota",
        "set a namespace's quota",
    ),
    _watch("credits", "end_user_quota", "/credits/end-users/quota", "show end users' quotas"),
    _post(
        "credits",
        "set_end_user_quota",
        "/credits/end-users/quota",
        "set an end user's quota",
    ),
    _watch("credits", "history", "/credits/history", "list what was spent"),
    _get("credits", "pricing_info", "/credits/pricing-info", "show prices"),
    _watch("namespaces", "list", "/namespaces", "list namespaces"),
    _post("namespaces", "create", "/namespaces", "create a namespace"),
    _watch("namespaces", "get", "/namespaces/:namespace_id", "show one namespace"),
    _delete("namespaces", "delete", "/namespaces/:namespace_id", "delete a namespace"),
    _get("icons", "search", "/icons/search", "search icons"),
    _get("icons", "resources", "/icons/resources", "list icon sets"),
    _watch("deploy", "list", "/deploy", "list deployments"),
    _post("deploy", "create", "/deploy", "start a deployment"),
    _watch("deploy", "get", "/deploy/:deployment_id", "show one deployment"),
    _watch("deploy", "logs", "/deploy/:deployment_id/logs", "show a deployment's log"),
    _watch("projects", "list", "/projects", "list projects"),
    _post("projects", "create", "/projects", "create a project"),
    _watch("projects", "get", "/projects/:project_id", "show one project"),
    _put("projects", "update", "/projects/:project_id", "change a project"),
    _delete("projects", "delete", "/projects/:project_id", "delete a project"),
    _post(
        "notifications",
        "create_token",
        "/notifications/tokens",
        "create a send token",
        "workspace_id",
        "name?",
        "metadata?",
    ),
    _watch(
        "notifications",
        "list_tokens",
        "/notifications/tokens",
        "list send tokens",
        "workspace_id",
    ),
    _post(
        "notifications",
        "revoke_token",
        "/notifications/tokens/:token_id/revoke",
        "revoke a send token",
    ),
    _delete(
        "notifications", "delete_token", "/notifications/tokens/:token_id", "delete a send token"
    ),
    _post(
        "notifications",
        "register_device",
        "/notifications/devices",
        "register a phone",
        "device_id",
        "fcm_token",
        "platform?",
        "device_info?",
    ),
    _watch("notifications", "list_devices", "/notifications/devices", "list phones"),
    _delete(
        "notifications", "remove_device", "/notifications/devices/:device_id", "remove a phone"
    ),
    _post(
        "notifications",
        "send",
        "/notifications/send",
        "send a notification (with a send token)",
        "title?",
        "body?",
        "data?",
    ),
    _watch("webhooks", "list", "/webhooks", "list webhooks"),
    _post(
        "webhooks",
        "create",
        "/webhooks",
        "register a webhook",
        "url",
        "events",
        "secret?",
        "description?",
        "namespace?",
    ),
    _get("webhooks", "events", "/webhooks/events", "list the events a webhook may have"),
    _put(
        "webhooks",
        "update",
        "/webhooks/:webhook_id",
        "change a webhook",
        "url?",
        "events?",
        "secret?",
        "description?",
        "namespace?",
    ),
    _delete("webhooks", "delete", "/webhooks/:webhook_id", "delete a webhook"),
)

GROUPS: tuple[str, ...] = tuple(dict.fromkeys(endpoint.group for endpoint in ENDPOINTS))

BY_KEY: dict[str, Endpoint] = {endpoint.key: endpoint for endpoint in ENDPOINTS}


def find(method: str, path: str) -> Endpoint | None:
    """Find the endpoint behind a method and a concrete path; None for one that is not listed.

    A literal path part wins over a parameter: "/ai/session/history" is not a session's id.
    """
    parts = path.partition("?")[0].strip("/").split("/")
    found = [
        endpoint
        for endpoint in ENDPOINTS
        if endpoint.method == method.upper() and _fits(endpoint.path, parts)
    ]
    return min(found, key=lambda endpoint: len(endpoint.path_parameters), default=None)


def _fits(template: str, parts: Sequence[str]) -> bool:
    wanted = template.strip("/").split("/")
    return len(wanted) == len(parts) and all(
        want == part or (want.startswith(":") and part)
        for want, part in zip(wanted, parts, strict=True)
    )
