"""The endpoints as typed methods. Written by codegen.py from its table: do not edit."""

from pathlib import Path
from typing import Any

from notifyd.platform.answers import Answer
from notifyd.platform.endpoint_group import EndpointCaller, EndpointGroup


class SessionsGroup(EndpointGroup):
    async def create(
        self,
        *,
        agent_id: Any,
        namespace: Any,
        end_user_id: Any,
        **fields: Any,
    ) -> Answer:
        """Start a session of an agent: POST /ai/session/create."""
        return await self._caller.call(
            "sessions.create",
            {},
            {
                "agent_id": agent_id,
                "namespace": namespace,
                "end_user_id": end_user_id,
                **fields,
            },
        )

    async def list(self, **fields: Any) -> Answer:
        """List sessions: GET /ai/session/list."""
        return await self._caller.call("sessions.list", {}, fields)

    async def get(self, session_id: str | int, **fields: Any) -> Answer:
        """Show one session: GET /ai/session/:session_id."""
        return await self._caller.call("sessions.get", {"session_id": session_id}, fields)

    async def history(self, session_id: str | int, **fields: Any) -> Answer:
        """List a session's messages: GET /ai/session/:session_id/history."""
        return await self._caller.call("sessions.history", {"session_id": session_id}, fields)

    async def create_token(self, session_id: str | int, **fields: Any) -> Answer:
        """Create a session token: POST /ai/session/:session_id/token/create."""
        return await self._caller.call("sessions.create_token", {"session_id": session_id}, fields)

    async def refresh_token(self, **fields: Any) -> Answer:
        """Exchange a session token: POST /ai/session/token/refresh."""
        return await self._caller.call("sessions.refresh_token", {}, fields)


class ChatGroup(EndpointGroup):
    async def send(self, **fields: Any) -> Answer:
        """Send a message to an agent: POST /ai/chat/send."""
        return await self._caller.call("chat.send", {}, fields)

    async def upload(self, *files: str | Path, **fields: str) -> Answer:
        """Upload files: POST /ai/chat/upload."""
        return await self._caller.upload("/ai/chat/upload", files, fields)

    async def history(self, **fields: Any) -> Answer:
        """List the messages of the token's session: GET /ai/session/history."""
        return await self._caller.call("chat.history", {}, fields)

    async def prepare(self, **fields: Any) -> Answer:
        """Prepare a session before its first message: POST /ai/session/prepare."""
        return await self._caller.call("chat.prepare", {}, fields)


class AgentsGroup(EndpointGroup):
    async def list(self, **fields: Any) -> Answer:
        """List agents: GET /ai/agents."""
        return await self._caller.call("agents.list", {}, fields)

    async def create(self, **fields: Any) -> Answer:
        """Create an agent: POST /ai/agents."""
        return await self._caller.call("agents.create", {}, fields)

    async def get(self, agent_id: str | int, **fields: Any) -> Answer:
        """Show one agent: GET /ai/agents/:agent_id."""
        return await self._caller.call("agents.get", {"agent_id": agent_id}, fields)

    async def update(self, agent_id: str | int, **fields: Any) -> Answer:
        """Change an agent: PUT /ai/agents/:agent_id."""
        return await self._caller.call("agents.update", {"agent_id": agent_id}, fields)

    async def delete(self, agent_id: str | int, **fields: Any) -> Answer:
        """Delete an agent: DELETE /ai/agents/:agent_id."""
        return await self._caller.call("agents.delete", {"agent_id": agent_id}, fields)

    async def settings(self, agent_id: str | int, **fields: Any) -> Answer:
        """Show an agent's settings: GET /ai/agents/:agent_id/settings."""
        return await self._caller.call("agents.settings", {"agent_id": agent_id}, fields)

    async def update_settings(self, agent_id: str | int, **fields: Any) -> Answer:
        """Change its settings: PUT /ai/agents/:agent_id/settings."""
        return await self._caller.call("agents.update_settings", {"agent_id": agent_id}, fields)


class SandboxGroup(EndpointGroup):
    async def list(self, **fields: Any) -> Answer:
        """List sandboxes: GET /sandbox."""
        return await self._caller.call("sandbox.list", {}, fields)

    async def create(self, **fields: Any) -> Answer:
        """Create a sandbox: POST /sandbox."""
        return await self._caller.call("sandbox.create", {}, fields)

    async def get(self, sandbox_id: str | int, **fields: Any) -> Answer:
        """Show one sandbox: GET /sandbox/:sandbox_id."""
        return await self._caller.call("sandbox.get", {"sandbox_id": sandbox_id}, fields)

    async def delete(self, sandbox_id: str | int, **fields: Any) -> Answer:
        """Delete a sandbox: DELETE /sandbox/:sandbox_id."""
        return await self._caller.call("sandbox.delete", {"sandbox_id": sandbox_id}, fields)

    async def start(self, sandbox_id: str | int, **fields: Any) -> Answer:
        """Start a sandbox: POST /sandbox/:sandbox_id/start."""
        return await self._caller.call("sandbox.start", {"sandbox_id": sandbox_id}, fields)

    async def stop(self, sandbox_id: str | int, **fields: Any) -> Answer:
        """Stop a sandbox: POST /sandbox/:sandbox_id/stop."""
        return await self._caller.call("sandbox.stop", {"sandbox_id": sandbox_id}, fields)

    async def restart(self, sandbox_id: str | int, **fields: Any) -> Answer:
        """Restart a sandbox: POST /sandbox/:sandbox_id/restart."""
        return await self._caller.call("sandbox.restart", {"sandbox_id": sandbox_id}, fields)

    async def metrics(self, sandbox_id: str | int, **fields: Any) -> Answer:
        """Show CPU, memory and disk use: GET /sandbox/:sandbox_id/metrics."""
        return await self._caller.call("sandbox.metrics", {"sandbox_id": sandbox_id}, fields)


class SearchGroup(EndpointGroup):
    async def search(self, **fields: Any) -> Answer:
        """Search the web: POST /search."""
        return await self._caller.call("search.search", {}, fields)

    async def extract(self, **fields: Any) -> Answer:
        """Extract the text of pages: POST /search/extract."""
        return await self._caller.call("search.extract", {}, fields)

    async def crawl(self, **fields: Any) -> Answer:
        """Crawl a site: POST /search/crawl."""
        return await self._caller.call("search.crawl", {}, fields)


class CreditsGroup(EndpointGroup):
    async def balance(self, **fields: Any) -> Answer:
        """Show the balance: GET /credits/balance."""
        return await self._caller.call("credits.balance", {}, fields)

    async def namespace_quota(self, **fields: Any) -> Answer:
        """Show namespace quotas: GET /credits/namespace-quota."""
        return await self._caller.call("credits.namespace_quota", {}, fields)

    async def set_namespace_quota(self, **fields: Any) -> Answer:
        """Set a namespace's quota: POST /credits/namespace-quota."""
        return await self._caller.call("credits.set_namespace_quota", {}, fields)

    async def end_user_quota(self, **fields: Any) -> Answer:
        """Show end users' quotas: GET /credits/end-users/quota."""
        return await self._caller.call("credits.end_user_quota", {}, fields)

    async def set_end_user_quota(self, **fields: Any) -> Answer:
        """Set an end user's quota: POST /credits/end-users/quota."""
        return await self._caller.call("credits.set_end_user_quota", {}, fields)

    async def history(self, **fields: Any) -> Answer:
        """List what was spent: GET /credits/history."""
        return await self._caller.call("credits.history", {}, fields)

    async def pricing_info(self, **fields: Any) -> Answer:
        """Show prices: GET /credits/pricing-info."""
        return await self._caller.call("credits.pricing_info", {}, fields)


class NamespacesGroup(EndpointGroup):
    async def list(self, **fields: Any) -> Answer:
        """List namespaces: GET /namespaces."""
        return await self._caller.call("namespaces.list", {}, fields)

    async def create(self, **fields: Any) -> Answer:
        """Create a namespace: POST /namespaces."""
        return await self._caller.call("namespaces.create", {}, fields)

    async def get(self, namespace_id: str | int, **fields: Any) -> Answer:
        """Show one namespace: GET /namespaces/:namespace_id."""
        return await self._caller.call("namespaces.get", {"namespace_id": namespace_id}, fields)

    async def delete(self, namespace_id: str | int, **fields: Any) -> Answer:
        """Delete a namespace: DELETE /namespaces/:namespace_id."""
        return await self._caller.call("namespaces.delete", {"namespace_id": namespace_id}, fields)


class IconsGroup(EndpointGroup):
    async def search(self, **fields: Any) -> Answer:
        """Search icons: GET /icons/search."""
        return await self._caller.call("icons.search", {}, fields)

    async def resources(self, **fields: Any) -> Answer:
        """List icon sets: GET /icons/resources."""
        return await self._caller.call("icons.resources", {}, fields)


class DeployGroup(EndpointGroup):
    async def list(self, **fields: Any) -> Answer:
        """List deployments: GET /deploy."""
        return await self._caller.call("deploy.list", {}, fields)

    async def create(self, **fields: Any) -> Answer:
        """Start a deployment: POST /deploy."""
        return await self._caller.call("deploy.create", {}, fields)

    async def get(self, deployment_id: str | int, **fields: Any) -> Answer:
        """Show one deployment: GET /deploy/:deployment_id."""
        return await self._caller.call("deploy.get", {"deployment_id": deployment_id}, fields)

    async def logs(self, deployment_id: str | int, **fields: Any) -> Answer:
        """Show a deployment's log: GET /deploy/:deployment_id/logs."""
        return await self._caller.call("deploy.logs", {"deployment_id": deployment_id}, fields)


class ProjectsGroup(EndpointGroup):
    async def list(self, **fields: Any) -> Answer:
        """List projects: GET /projects."""
        return await self._caller.call("projects.list", {}, fields)

    async def create(self, **fields: Any) -> Answer:
        """Create a project: POST /projects."""
        return await self._caller.call("projects.create", {}, fields)

    async def get(self, project_id: str | int, **fields: Any) -> Answer:
        """Show one project: GET /projects/:project_id."""
        return await self._caller.call("projects.get", {"project_id": project_id}, fields)

    async def update(self, project_id: str | int, **fields: Any) -> Answer:
        """Change a project: PUT /projects/:project_id."""
        return await self._caller.call("projects.update", {"project_id": project_id}, fields)

    async def delete(self, project_id: str | int, **fields: Any) -> Answer:
        """Delete a project: DELETE /projects/:project_id."""
        return await self._caller.call("projects.delete", {"project_id": project_id}, fields)


class NotificationsGroup(EndpointGroup):
    async def create_token(
        self,
        *,
        workspace_id: Any,
        name: Any = None,
        metadata: Any = None,
        **fields: Any,
    ) -> Answer:
        """Create a send token: POST /notifications/tokens."""
        return await self._caller.call(
            "notifications.create_token",
            {},
            {
                "workspace_id": workspace_id,
                "name": name,
                "metadata": metadata,
                **fields,
            },
        )

    async def list_tokens(self, *, workspace_id: Any = None, **fields: Any) -> Answer:
        """List send tokens: GET /notifications/tokens."""
        return await self._caller.call(
            "notifications.list_tokens", {}, {"workspace_id": workspace_id, **fields}
        )

    async def revoke_token(self, token_id: str | int, **fields: Any) -> Answer:
        """Revoke a send token: POST /notifications/tokens/:token_id/revoke."""
        return await self._caller.call("notifications.revoke_token", {"token_id": token_id}, fields)

    async def delete_token(self, token_id: str | int, **fields: Any) -> Answer:
        """Delete a send token: DELETE /notifications/tokens/:token_id."""
        return await self._caller.call("notifications.delete_token", {"token_id": token_id}, fields)

    async def register_device(
        self,
        *,
        device_id: Any,
        fcm_token: Any,
        platform: Any = None,
        device_info: Any = None,
        **fields: Any,
    ) -> Answer:
        """Register a phone: POST /notifications/devices."""
        return await self._caller.call(
            "notifications.register_device",
            {},
            {
                "device_id": device_id,
                "fcm_token": fcm_token,
                "platform": platform,
                "device_info": device_info,
                **fields,
            },
        )

    async def list_devices(self, **fields: Any) -> Answer:
        """List phones: GET /notifications/devices."""
        return await self._caller.call("notifications.list_devices", {}, fields)

    async def remove_device(self, device_id: str | int, **fields: Any) -> Answer:
        """Remove a phone: DELETE /notifications/devices/:device_id."""
        return await self._caller.call(
            "notifications.remove_device", {"device_id": device_id}, fields
        )

    async def send(
        self,
        *,
        title: Any = None,
        body: Any = None,
        data: Any = None,
        **fields: Any,
    ) -> Answer:
        """Send a notification (with a send token): POST /notifications/send."""
        return await self._caller.call(
            "notifications.send",
            {},
            {
                "title": title,
                "body": body,
                "data": data,
                **fields,
            },
        )


class WebhooksGroup(EndpointGroup):
    async def list(self, **fields: Any) -> Answer:
        """List webhooks: GET /webhooks."""
        return await self._caller.call("webhooks.list", {}, fields)

    async def create(
        self,
        *,
        url: Any,
        events: Any,
        secret: Any = None,
        description: Any = None,
        namespace: Any = None,
        **fields: Any,
    ) -> Answer:
        """Register a webhook: POST /webhooks."""
        return await self._caller.call(
            "webhooks.create",
            {},
            {
                "url": url,
                "events": events,
                "secret": secret,
                "description": description,
                "namespace": namespace,
                **fields,
            },
        )

    async def events(self, **fields: Any) -> Answer:
        """List the events a webhook may have: GET /webhooks/events."""
        return await self._caller.call("webhooks.events", {}, fields)

    async def update(
        self,
        webhook_id: str | int,
        *,
        url: Any = None,
        events: Any = None,
        secret: Any = None,
        description: Any = None,
        namespace: Any = None,
        **fields: Any,
    ) -> Answer:
        """Change a webhook: PUT /webhooks/:webhook_id."""
        return await self._caller.call(
            "webhooks.update",
            {"webhook_id": webhook_id},
            {
                "url": url,
                "events": events,
                "secret": secret,
                "description": description,
                "namespace": namespace,
                **fields,
            },
        )

    async def delete(self, webhook_id: str | int, **fields: Any) -> Answer:
        """Delete a webhook: DELETE /webhooks/:webhook_id."""
        return await self._caller.call("webhooks.delete", {"webhook_id": webhook_id}, fields)


class Groups:
    """The groups as attributes of the client."""

    def __init__(self, caller: EndpointCaller) -> None:
        self.sessions = SessionsGroup(caller)
        self.chat = ChatGroup(caller)
        self.agents = AgentsGroup(caller)
        self.sandbox = SandboxGroup(caller)
        self.search = SearchGroup(caller)
        self.credits = CreditsGroup(caller)
        self.namespaces = NamespacesGroup(caller)
        self.icons = IconsGroup(caller)
        self.deploy = DeployGroup(caller)
        self.projects = ProjectsGroup(caller)
        self.notifications = NotificationsGroup(caller)
        self.webhooks = WebhooksGroup(caller)
