from pathlib import Path

import pytest

from notifyd.relay.credentials import ClientCredentials
from support.visitor import Visitor, visiting


@pytest.fixture
async def visitor():
    async with visiting() as opened:
        yield opened


async def test_the_life_of_a_token(visitor: Visitor) -> None:
    made = await visitor.minted("w1", name="laptop", metadata={"channel": "ci"})
    plain = made.pop("token")
    assert made == {
        "id": 1,
        "workspace_id": "w1",
        "name": "laptop",
        "metadata": {"channel": "ci"},
        "token_prefix": plain[:12],
        "status": "active",
        "created_at": "2027-01-15T08:00:00.000Z",
        "last_used_at": None,
        "revoked_at": None,
    }

    visitor.clock.now += 60
    assert (await visitor.send(plain)).status == 200
    listed = await visitor.manage("GET", "/notifications/tokens?workspace_id=w1")
    assert listed.json["tokens"] == [made | {"last_used_at": "2027-01-15T08:01:00.000Z"}]

    revoked = await visitor.manage("POST", f"/notifications/tokens/{made['id']}/revoke")
    assert revoked.json["token"]["status"] == "revoked"
    assert revoked.json["token"]["revoked_at"] == "2027-01-15T08:01:00.000Z"
    refused = await visitor.send(plain)
    assert (refused.status, refused.json["code"]) == (401, "authentication_error")
    assert "revoked" in refused.json["error"]
    listed = await visitor.manage("GET", "/notifications/tokens?workspace_id=w1")
    assert [token["status"] for token in listed.json["tokens"]] == ["revoked"]

    deleted = await visitor.manage("DELETE", f"/notifications/tokens/{made['id']}")
    assert deleted.json == {"success": True}
    assert (await visitor.send(plain)).status == 401
    listed = await visitor.manage("GET", "/notifications/tokens")
    assert listed.json == {"success": True, "tokens": []}


async def test_tokens_are_listed_by_workspace(visitor: Visitor) -> None:
    for workspace in ("w1", "w2", "w1"):
        await visitor.minted(workspace)
        visitor.clock.now += 1
    listed = await visitor.manage("GET", "/notifications/tokens?workspace_id=w1")
    assert [token["workspace_id"] for token in listed.json["tokens"]] == ["w1", "w1"]
    assert all("token" not in token for token in listed.json["tokens"])
    everything = await visitor.manage("GET", "/notifications/tokens")
    assert [token["workspace_id"] for token in everything.json["tokens"]] == ["w1", "w2", "w1"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/notifications/tokens/nope/revoke"),
        ("DELETE", "/notifications/tokens/nope"),
        ("DELETE", "/notifications/devices/nope"),
    ],
)
async def test_an_unknown_id_is_404(visitor: Visitor, method: str, path: str) -> None:
    answer = await visitor.manage(method, path)
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert "nope" in answer.json["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/notifications/tokens"),
        ("GET", "/notifications/tokens"),
        ("POST", "/notifications/tokens/x/revoke"),
        ("DELETE", "/notifications/tokens/x"),
        ("POST", "/notifications/devices"),
        ("GET", "/notifications/devices"),
        ("DELETE", "/notifications/devices/x"),
    ],
)
async def test_managing_needs_the_client_credentials(
    visitor: Visitor, method: str, path: str
) -> None:
    token = (await visitor.minted())["token"]
    for headers in (
        {},
        {"X-Client-ID": visitor.client.id},
        {"X-Client-ID": visitor.client.id, "X-Client-Secret": "wrong"},
        {"X-Client-ID": "wrong", "X-Client-Secret": visitor.client.secret},
        {"Authorization": f"Bearer {token}"},
    ):
        answer = await visitor.ask(method, path, headers=headers)
        assert answer.status == 401
        assert answer.json["success"] is False
        assert answer.json["code"] == "authentication_error"


async def test_a_wrong_field_is_named(visitor: Visitor) -> None:
    answer = await visitor.manage("POST", "/notifications/tokens", json={"name": "n" * 121})
    assert (answer.status, answer.json["code"]) == (422, "validation_error")
    assert "workspace_id: " in answer.json["error"]
    assert "name: " in answer.json["error"]
    answer = await visitor.manage("POST", "/notifications/tokens", data=b"{")
    assert (answer.status, answer.json["code"]) == (400, "invalid_json")


async def test_the_same_device_is_updated(visitor: Visitor) -> None:
    device = {"device_id": "my phone/1", "fcm_token": "a-secret"}
    registered = await visitor.manage("POST", "/notifications/devices", json=device)
    assert registered.json["device"]["platform"] is None
    visitor.clock.now += 60
    device |= {"platform": "ios", "device_info": {"model": "X"}}
    answer = await visitor.manage("POST", "/notifications/devices", json=device)
    shown = {
        "id": 1,
        "device_id": "my phone/1",
        "platform": "ios",
        "device_info": {"model": "X"},
        "status": "active",
        "last_seen_at": "2027-01-15T08:01:00.000Z",
        "created_at": "2027-01-15T08:00:00.000Z",
    }
    assert answer.json == {"success": True, "device": shown}
    listed = await visitor.manage("GET", "/notifications/devices")
    assert listed.json["devices"] == [shown]
    await visitor.manage("DELETE", "/notifications/devices/my%20phone%2F1")
    assert (await visitor.manage("GET", "/notifications/devices")).json["devices"] == []


@pytest.mark.parametrize(("field", "value"), [("platform", "toaster"), ("device_id", "123")])
async def test_an_invalid_device_is_refused(visitor: Visitor, field: str, value: str) -> None:
    device = {"device_id": "d", "fcm_token": "f", field: value}
    answer = await visitor.manage("POST", "/notifications/devices", json=device)
    assert answer.status == 422
    assert f"{field}: " in answer.json["error"]


async def test_a_restart_keeps_tokens_client_and_inbox_url(tmp_path: Path) -> None:
    database = tmp_path / "relay.db"
    async with visiting(database, client=None) as visitor:
        assert visitor.relay.new_client is not None
        made = visitor.client = visitor.relay.new_client
        token = (await visitor.minted("w1", name="laptop"))["token"]
        await visitor.send(token, Idempotency_Key="k")
        inbox = visitor.relay.inbox_url.removeprefix(visitor.relay.url)
        before = (await visitor.manage("GET", "/notifications/tokens")).json
    async with visiting(database, client=None) as visitor:
        assert visitor.relay.new_client is None
        assert visitor.relay.inbox_url.removeprefix(visitor.relay.url) == inbox
        visitor.client = made
        assert (await visitor.manage("GET", "/notifications/tokens")).json == before
        assert (await visitor.send(token, Idempotency_Key="k")).status == 200
        async with visitor.page() as page:
            assert len(await page.until_live()) == 1
    async with visiting(database, client=ClientCredentials("given", "by hand")) as visitor:
        visitor.client = made
        assert (await visitor.manage("GET", "/notifications/tokens")).status == 401


def contents(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_the_database_contains_no_secret(tmp_path: Path) -> None:
    database = tmp_path / "relay.db"
    async with visiting(database, client=None) as visitor:
        assert visitor.relay.new_client is not None
        visitor.client = visitor.relay.new_client
        plain = (await visitor.minted("workspace-in-the-file"))["token"]
        await visitor.send(plain)
        on_disk = contents(tmp_path)
    on_disk += contents(tmp_path)
    assert b"workspace-in-the-file" in on_disk
    assert plain[:12].encode() in on_disk
    assert plain[:13].encode() not in on_disk
    assert plain[13:].encode() not in on_disk
    assert visitor.client.secret.encode() not in on_disk


async def test_two_relays_run_in_one_process() -> None:
    async with visiting() as one, visiting() as two:
        token = await one.relay.mint_token("w", "demo")
        assert (await one.send(token)).status == 200
        assert (await two.send(token)).status == 401
        assert one.relay.url != two.relay.url
