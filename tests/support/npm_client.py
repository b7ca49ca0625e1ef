"""What the platform's published npm client, oblien 2.4.0, asks of a server and reads in answers.

A field's type is what the client declares; `None` beside it means that the field may be null.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any

DEVICE: Mapping[str, type | UnionType] = {
    "id": int,
    "device_id": str,
    "platform": str | NoneType,
    "device_info": dict | NoneType,
    "status": str,
    "last_seen_at": str | NoneType,
    "created_at": str,
}
TOKEN: Mapping[str, type | UnionType] = {
    "id": int,
    "workspace_id": str,
    "name": str | NoneType,
    "metadata": dict | NoneType,
    "token_prefix": str,
    "status": str,
    "last_used_at": str | NoneType,
    "created_at": str,
    "revoked_at": str | NoneType,
}
FIGURES: Mapping[str, type | UnionType] = {"delivered": int, "failed": int, "devices": int}


@dataclass(frozen=True)
class Call:
    """One request of the client. path, body: `{name}` stands for an earlier answer's value.

    answer: the path to the object that is read, and the types of its fields. keep: values of it
    that later calls use, by the name that they use.
    """

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    answer: tuple[str, ...] = ()
    fields: Mapping[str, type | UnionType] = field(default_factory=dict)
    keep: Mapping[str, str] = field(default_factory=dict)
    with_token: bool = False


CALLS = (
    Call(
        "POST",
        "/notifications/devices",
        {"device_id": "dev_abc", "fcm_token": "the-push-token"},
        ("device",),
        DEVICE,
        {"device": "id"},
    ),
    Call(
        "POST",
        "/notifications/devices",
        {
            "device_id": "dev_abc",
            "fcm_token": "the-push-token",
            "platform": "ios",
            "device_info": {"model": "X"},
        },
        ("device",),
        DEVICE,
    ),
    Call("GET", "/notifications/devices", None, ("devices", "0"), DEVICE),
    Call(
        "POST",
        "/notifications/tokens",
        {"workspace_id": "ws_123", "name": "agent", "metadata": {"channel": "builds"}},
        ("token",),
        {**TOKEN, "token": str},
        {"token": "id", "plain": "token"},
    ),
    Call("GET", "/notifications/tokens", None, ("tokens", "0"), TOKEN),
    Call("GET", "/notifications/tokens?workspace_id=ws_123", None, ("tokens", "0"), TOKEN),
    Call(
        "POST",
        "/notifications/send",
        {"title": "Build done", "body": "Agent finished", "data": {"run": "1"}},
        (),
        FIGURES,
        with_token=True,
    ),
    Call("POST", "/notifications/tokens/{token}/revoke"),
    Call("DELETE", "/notifications/tokens/{token}"),
    Call("DELETE", "/notifications/devices/{device}"),
)

SCRIPT = """
import assert from 'node:assert';
import { pathToFileURL } from 'node:url';
const { default: Oblien } = await import(pathToFileURL(process.env.OBLIEN_CLIENT_ENTRY).href);
const client = new Oblien({
  clientId: process.env.OBLIEN_CLIENT_ID,
  clientSecret: process.env.OBLIEN_CLIENT_SECRET,
  baseUrl: process.env.OBLIEN_BASE_URL,
});
const api = client.notifications;
await api.registerDevice({ device_id: 'dev_abc', fcm_token: 'the-push-token' });
const { devices } = await api.listDevices();
assert.equal(typeof devices[0].id, 'number');
assert.equal(devices[0].status, 'active');
assert.ok(!JSON.stringify(devices).includes('the-push-token'));
const { token } = await api.createToken({ workspace_id: 'ws_123', name: 'agent' });
assert.equal(typeof token.id, 'number');
const sent = await api.send(token.token, { title: 'Build done' });
assert.deepEqual([sent.delivered, sent.failed, sent.devices], [1, 0, 1]);
assert.equal((await api.listTokens()).tokens.length, 1);
assert.equal((await api.listTokens('another')).tokens.length, 0);
await api.revokeToken(token.id);
assert.equal((await api.listTokens('ws_123')).tokens[0].status, 'revoked');
await assert.rejects(api.send(token.token, { title: 'late' }));
await api.deleteToken(token.id);
await api.removeDevice(devices[0].id);
assert.equal((await api.listDevices()).devices.length, 0);
console.log('all calls answered');
"""
"""A program for node that makes every call with the client itself."""
