"""`notifyd api` and `notifyd token` against a double of the platform on loopback."""

import asyncio
import io
import json
import stat

import pytest

from notifyd.cli import main
from support.command import Ran, run
from support.platform_api import PlatformApi, reply
from support.reference import LISTED

CREDENTIALS = {"OBLIEN_CLIENT_ID": "id-1", "OBLIEN_CLIENT_SECRET": "secret-1"}
RECORD = {
    "id": 12,
    "workspace_id": "ws_1",
    "name": "agent",
    "status": "active",
    "token_prefix": "onp_12345678",
}


@pytest.fixture
async def api():
    async with PlatformApi() as api:
        yield api


@pytest.fixture
def notifyd(api, tmp_path, monkeypatch, capsys):
    """Run a command in this process, on a thread with a loop of its own."""
    for name in ("XDG_CONFIG_HOME", "OBLIEN_TOKEN", "OBLIEN_WORKSPACE_ID", "NOTIFYD_CONFIG"):
        monkeypatch.delenv(name, raising=False)

    async def command(*words, stdin=b"", **environ):
        given = {**CREDENTIALS, "OBLIEN_BASE_URL": api.url, "HOME": str(tmp_path), **environ}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = await asyncio.to_thread(main, list(words))
        written = capsys.readouterr()
        return Ran(status, written.out, written.err)

    return command


@pytest.mark.parametrize(("method", "path"), LISTED)
async def test_every_endpoint_is_reached_from_the_command_line(notifyd, api, method, path):
    concrete = path.replace(":id", "x-1")
    done = await notifyd("api", method, concrete, "-f", "a=1")
    assert (done.status, done.err) == (0, "")
    (seen,) = api.requests
    assert (seen.method, seen.path) == (method, concrete)
    assert (seen.headers["x-client-id"], seen.headers["x-client-secret"]) == ("id-1", "secret-1")
    if method in ("GET", "DELETE"):
        assert (seen.query, seen.body) == ([("a", "1")], b"")
    elif path.endswith("upload"):
        assert b'name="a"' in seen.body
    else:
        assert seen.json == {"a": "1"}


async def test_fields_have_texts_values_and_files(notifyd, api, tmp_path):
    (tmp_path / "r.txt").write_text("content")
    done = await notifyd("api", "post", "projects", "-f", "name=x=y", "-F", 'n={"deep":[1,true]}')
    assert done.status == 0
    assert api.requests[0].json == {"name": "x=y", "n": {"deep": [1, True]}}
    done = await notifyd("api", "POST", "/ai/chat/upload", "-F", f"file=@{tmp_path}/r.txt")
    assert done.status == 0
    assert b'filename="r.txt"' in api.requests[1].body


async def test_a_whole_body_comes_from_standard_input(notifyd, api):
    done = await notifyd("api", "PUT", "/agents/1", "--input", "-", stdin=b'[1, {"a": null}]')
    assert done.status == 0
    assert api.requests[0].json == [1, {"a": None}]


async def test_an_expression_selects_and_a_text_stands_alone(notifyd, api):
    api.answer = lambda _: reply(200, {"success": True, "data": {"memory": {"state": "low"}}})
    done = await notifyd("api", "GET", "/sandbox/1/metrics", "--jq", "memory.state")
    assert done.out == "low\n"
    done = await notifyd("api", "GET", "/sandbox/1/metrics")
    assert json.loads(done.out) == {"memory": {"state": "low"}}


@pytest.mark.parametrize("style", ["page", "offset", "cursor=next"])
async def test_pages_are_fetched_until_there_are_no_more(notifyd, api, style):
    items = [f"i{number}" for number in range(5)]

    def answer(request):
        query = dict(request.query)
        if "page" in query or style == "page":
            start = 2 * (int(query.get("page", 1)) - 1)
        else:
            start = int(query.get("offset") or query.get("cursor") or 0)
        rest = start + 2 if start + 2 < len(items) else None
        return reply(200, {"success": True, "items": items[start : start + 2], "next": rest})

    api.answer = answer
    done = await notifyd("api", "GET", "/projects", "--paginate", style, "--jq", "join(',', @)")
    assert (done.out, done.err) == ("i0,i1,i2,i3,i4\n", "")


async def test_a_list_becomes_a_table(notifyd, api):
    api.answer = lambda _: reply(200, {"success": True, "data": [{"id": 1, "name": "a\x1b"}, {}]})
    done = await notifyd("api", "GET", "/projects", "--table")
    assert done.out == "ID  NAME\n1   a\ufffd\n-   -\n"


@pytest.mark.parametrize(
    ("status", "exit_status"),
    [(400, 2), (401, 77), (402, 1), (403, 77), (404, 1), (409, 1), (422, 2), (503, 75)],
)
async def test_errors_have_exit_statuses_for_scripts(notifyd, api, status, exit_status):
    api.plan(reply(status, {"success": False, "error": "because", "code": "c", "requestId": "r"}))
    done = await notifyd("api", "POST", "/projects")
    assert (done.status, done.out) == (exit_status, "")
    assert done.err == f"the platform answered {status}: because (code c, request r)\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("api", "GTE", "/x"), "unknown method 'GTE'"),
        (("api", "GET"), "PATH is missing"),
        (("api", "POST", "/x", "-f", "novalue"), "invalid field 'novalue'"),
        (("api", "POST", "/x", "-F", "a=text"), "-F a is not a JSON value"),
        (("api", "POST", "/x", "-F", "a=@/nowhere"), "cannot upload /nowhere"),
        (("api", "GET", "/x", "-F", "a=@/etc/passwd"), "GET cannot upload files"),
        (("api", "GET", "/x", "--jq", "a["), "invalid JMESPath expression"),
        (("api", "list", "sandboks"), "unknown group 'sandboks'; did you mean 'sandbox'?"),
    ],
)
async def test_mistakes_are_one_sentence(notifyd, api, words, sentence):
    done = await notifyd(*words)
    assert done.status == 2
    assert sentence in done.err
    assert done.err.count("\n") == 1
    assert api.requests == []


async def test_without_credentials_one_sentence_says_which_variables(notifyd):
    done = await notifyd("api", "GET", "/sandbox", OBLIEN_CLIENT_SECRET="")
    assert done.status == 78
    assert "OBLIEN_CLIENT_SECRET" in done.err
    assert done.err.count("\n") == 1


async def test_the_list_needs_neither_credentials_nor_network(notifyd, api):
    done = await notifyd("api", "list", OBLIEN_CLIENT_ID="", OBLIEN_CLIENT_SECRET="")
    assert done.status == 0
    assert len(done.out.splitlines()) == len(LISTED) + 1
    done = await notifyd("api", "list", "sandbox")
    assert "/sandbox/:sandbox_id/metrics" in done.out
    assert "credits" not in done.out
    assert api.requests == []


async def test_a_token_is_saved_where_the_daemon_reads_it_and_never_shown(api, tmp_path):
    api.plan(reply(200, {"success": True, "token": {**RECORD, "token": "onp_secret"}}))
    words = ("--workspace", "ws_1", "--name", "agent", "--channel", "builds", "--save")
    environ = {**CREDENTIALS, "OBLIEN_BASE_URL": api.url, "HOME": str(tmp_path)}
    done = await run("token", "create", *words, **environ)
    saved = tmp_path / ".config" / "notifyd" / "send-token"
    assert done.status == 0
    assert "onp_secret" not in done.out + done.err
    assert str(saved) in done.out
    assert saved.read_text() == "onp_secret\n"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert [path.name for path in saved.parent.iterdir()] == ["send-token"]
    assert api.requests[0].json == {
        "workspace_id": "ws_1",
        "name": "agent",
        "metadata": {"channel": "builds"},
    }


async def test_a_saved_token_is_replaced_only_on_demand(notifyd, api, tmp_path):
    saved = tmp_path / "notifyd" / "send-token"
    saved.parent.mkdir()
    saved.write_text("onp_old\n")
    words = ("token", "create", "--workspace", "w", "--save")
    done = await notifyd(*words, XDG_CONFIG_HOME=str(tmp_path))
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert f"{saved} already holds a token" in done.err
    assert "--yes" in done.err
    assert (saved.read_text(), api.requests) == ("onp_old\n", [])
    api.plan(reply(200, {"success": True, "token": {**RECORD, "token": "onp_secret"}}))
    done = await notifyd(*words, "--yes", XDG_CONFIG_HOME=str(tmp_path))
    assert (done.status, saved.read_text()) == (0, "onp_secret\n")


async def test_a_token_goes_beside_the_configuration_that_is_named(notifyd, api, tmp_path):
    config = tmp_path / "other" / "config.toml"
    config.parent.mkdir()
    config.write_text("")
    api.plan(reply(200, {"success": True, "data": {"token": "onp_secret", "id": 1}}))
    done = await notifyd("token", "create", "--workspace", "w", "--save", "--config", str(config))
    assert done.status == 0
    assert (config.parent / "send-token").read_text() == "onp_secret\n"


async def test_a_place_that_cannot_be_written_is_one_sentence(notifyd, api, tmp_path):
    (tmp_path / "file").write_text("")
    api.plan(reply(200, {"success": True, "token": {**RECORD, "token": "onp_secret"}}))
    done = await notifyd(
        "token", "create", "--workspace", "w", "--save", XDG_CONFIG_HOME=f"{tmp_path}/file"
    )
    assert done.status == 78
    assert "cannot save the token" in done.err
    assert "onp_secret" not in done.err


async def test_a_token_is_shown_once_where_it_is_not_saved(notifyd, api):
    api.plan(reply(200, {"success": True, "token": {**RECORD, "token": "onp_secret"}}))
    done = await notifyd("token", "create", OBLIEN_WORKSPACE_ID="ws_1")
    assert done.out.splitlines()[-1] == "onp_secret"
    done = await notifyd("token", "create", OBLIEN_WORKSPACE_ID="")
    assert (done.status, "OBLIEN_WORKSPACE_ID" in done.err) == (2, True)


async def test_json_has_times_for_people_too(notifyd, api):
    record = RECORD | {"created_at": 1_700_000_000, "lastUsedAt": 1_700_000_000_500, "used": 12}
    api.answer = lambda _: reply(200, {"success": True, "tokens": [record]})
    for words in (("token", "list", "--json"), ("api", "GET", "/notifications/tokens")):
        (shown,) = json.loads((await notifyd(*words)).out)["tokens"]
        assert shown["created_at"] == 1_700_000_000
        assert shown["created_at_iso"] == "2023-11-14T22:13:20.000+00:00"
        assert shown["lastUsedAt_iso"] == "2023-11-14T22:13:20.500+00:00"
        assert "used_iso" not in shown
    selected = await notifyd("api", "GET", "/notifications/tokens", "--jq", "tokens[0]")
    assert json.loads(selected.out) == record


async def test_tokens_are_listed_revoked_and_deleted(notifyd, api):
    api.answer = lambda _: reply(200, {"success": True, "tokens": [RECORD]})
    done = await notifyd("token", "list", "--workspace", "ws_1")
    assert "onp_12345678" in done.out
    assert api.requests[0].query == [("workspace_id", "ws_1")]
    done = await notifyd("token", "revoke", "12")
    assert (done.status, "--yes" in done.err, len(api.requests)) == (2, True, 1)
    assert (await notifyd("token", "revoke", "12", "--yes")).out == "Token 12 revoked.\n"
    assert (await notifyd("token", "delete", "12", "--yes")).out == "Token 12 deleted.\n"
    assert [(seen.method, seen.path) for seen in api.requests[1:]] == [
        ("POST", "/notifications/tokens/12/revoke"),
        ("DELETE", "/notifications/tokens/12"),
    ]
