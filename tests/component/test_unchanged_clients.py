"""Clients of other services, unchanged, against the listeners: curl, Apprise, httpx."""

import json
import subprocess
from asyncio import to_thread
from base64 import urlsafe_b64encode
from pathlib import Path

import apprise
import httpx
import pytest

from notifyd.config.sections import SocketConfig
from notifyd.model.notifications import Message
from support.socket_api import GENEROUS, TCP_TOKEN, daemon, tcp_daemon

own_warnings = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""Apprise loads all its plugins, and those import what is deprecated."""
AUTH = urlsafe_b64encode(f"Bearer {TCP_TOKEN}".encode()).decode().rstrip("=")


@pytest.fixture
async def tcp():
    async with tcp_daemon() as running:
        yield running


async def curl(calls: str, folder: Path, *, fails: bool = False) -> list[dict]:
    """Run a script of curl calls, one answer a line, and return the answers."""
    script = f"curl() {{ command curl -sS --fail-with-body -w '\\n' \"$@\"; }}\n{calls}"
    done = await to_thread(
        subprocess.run,
        ["sh", "-c" if fails else "-ec", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert fails or done.returncode == 0, done.stderr + done.stdout
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


async def test_curl_publishes_as_ntfy_documents_it(tcp, tmp_path):
    (tmp_path / "message.txt").write_text("from a file\n")
    url, bearer = f"http://{tcp.host}", f'-H "Authorization: Bearer {TCP_TOKEN}"'
    answers = await curl(
        f"""
        curl {bearer} -d "Backup successful 😀" {url}/mytopic
        curl {bearer} -H "Title: Unauthorized access detected" -H "Priority: urgent" \
          -H "Tags: warning,skull" -d "Remote access to phils-laptop detected." {url}/phil_alerts
        curl -u :{TCP_TOKEN} -H "X-Title: Dögs are better than cats" -H prio:low -d x {url}/t
        curl -u phil:{TCP_TOKEN} -H "t: =?UTF-8?B?SG9sYSDwn5CV?=" -d x {url}/t
        curl {bearer} -H "At: tomorrow, 10am" -d "Good morning" {url}/hello
        curl {bearer} -H "In: 30min" -d "It's 30 minutes later now" {url}/reminder
        curl {bearer} -T message.txt {url}/file
        curl {bearer} -X PUT --data-binary @message.txt {url}/file
        curl {bearer} -d "line 1
line 2" -H "Click: https://home.nest.com/" {url}/doorbell
        curl "{url}/mywebhook/trigger?auth={AUTH}"
        curl "{url}/mywebhook/publish?message=Webhook+triggered&priority=high&auth={AUTH}"
        curl {bearer} {url} -d '{{"topic":"mytopic","message":"Disk space is low",
          "title":"Low disk space alert","tags":["warning","cd"],"priority":4,
          "attach":"https://filesrv.lan/space.jpg","click":"https://homecamera.lan/xasds1h2xsSsa/",
          "actions":[{{"action":"view","label":"Admin panel","url":"https://filesrv.lan/admin"}}]}}'
        """,
        tmp_path,
    )
    assert {answer["event"] for answer in answers} == {"message"}
    sent = list(tcp.control.messages.values())
    assert sent[0] == Message("", "Backup successful 😀", {"topic": "mytopic"})
    assert sent[1].title == "Unauthorized access detected"
    assert sent[1].data["tags"] == ["warning", "skull"]
    assert [message.title for message in sent[2:4]] == ["Dögs are better than cats", "Hola 🐕"]
    assert [message.body for message in sent[4:]] == [
        "Good morning",
        "It's 30 minutes later now",
        *["from a file"] * 2,
        "line 1\nline 2",
        "triggered",
        "Webhook triggered",
        "Disk space is low",
    ]
    assert sent[8].data["url"] == "https://home.nest.com/"
    assert sent[-1].data == {
        "topic": "mytopic",
        "tags": ["warning", "cd"],
        "url": "https://homecamera.lan/xasds1h2xsSsa/",
        "attach": "https://filesrv.lan/space.jpg",
    }
    rows = list(tcp.control.rows.values())
    assert [row["priority"] for row in rows[1:3]] == ["urgent", "low"]
    assert 0 < rows[4]["delay"] <= 2 * 86_400
    assert rows[5]["delay"] == 1800


async def test_curl_publishes_as_gotify_documents_it(tcp, tmp_path):
    url = f"http://{tcp.host}/message"
    answers = await curl(
        f"""
        curl "{url}?token={TCP_TOKEN}" -F "title=my title" -F "message=my message" -F "priority=5"
        curl -X POST "{url}" -H "X-Gotify-Key: {TCP_TOKEN}" -d "message=by form" -d "priority=8"
        curl -X POST "{url}" -H "Authorization: Bearer {TCP_TOKEN}" \
          -H "Content-Type: application/json" \
          -d '{{"message":"a link","extras":{{"client::notification":
            {{"click":{{"url":"https://gotify.net"}}}}}}}}'
        """,
        tmp_path,
    )
    assert [answer["appid"] for answer in answers] == [1, 1, 1]
    assert list(tcp.control.messages.values()) == [
        Message("my title", "my message"),
        Message("", "by form"),
        Message("", "a link", {"url": "https://gotify.net"}),
    ]


async def test_curl_shows_errors_in_the_form_of_each_service(tcp, tmp_path):
    url = f"http://{tcp.host}"
    answers = await curl(
        f"""
        curl -d x {url}/mytopic
        curl -u :{TCP_TOKEN} -H "Priority: 9" -d x {url}/mytopic
        curl "{url}/message?token={TCP_TOKEN}" -F "title=no message"
        curl -u :{TCP_TOKEN} {url}/mytopic/json
        """,
        tmp_path,
        fails=True,
    )
    assert [answer.get("code", answer.get("errorCode")) for answer in answers] == [
        40101,
        40007,
        400,
        40401,
    ]


@own_warnings
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "ntfy://{token}@{host}/t?auth=token&priority=high&xtags=skull&click=https://x.example",
            Message(
                "A title",
                "one\ntwo",
                {"topic": "t", "tags": ["skull"], "url": "https://x.example"},
            ),
        ),
        (
            "ntfy://anybody:{token}@{host}/backups?mode=private",
            Message("A title", "one\ntwo", {"topic": "backups"}),
        ),
        ("gotify://{host}/{token}?priority=high", Message("A title", "one\ntwo")),
        ("json://anybody:{token}@{host}/message", Message("A title", "one\ntwo")),
        ("form://anybody:{token}@{host}/message", Message("A title", "one\ntwo")),
    ],
)
async def test_apprise_notifies_by_its_urls(tcp, url, expected):
    sender = apprise.Apprise()
    assert sender.add(url.format(token=TCP_TOKEN, host=tcp.host))
    assert await to_thread(sender.notify, title="A title", body="one\ntwo")
    assert list(tcp.control.messages.values()) == [expected]
    is_high = "priority=high" in url
    assert tcp.control.rows["n1"]["priority"] == ("high" if is_high else "default")


@own_warnings
async def test_a_long_text_of_apprise_arrives_though_it_is_sent_as_a_file(tcp):
    sender = apprise.Apprise()
    assert sender.add(f"ntfy://{TCP_TOKEN}@{tcp.host}/t?auth=token&mode=private")
    assert await to_thread(sender.notify, title="A title", body="word " * 3000)
    assert all("word word" in message.body for message in tcp.control.messages.values())


@own_warnings
async def test_apprise_reports_a_wrong_token(tcp):
    sender = apprise.Apprise()
    assert sender.add(f"ntfy://wrong@{tcp.host}/t?auth=token&mode=private")
    assert not await to_thread(sender.notify, body="x")
    assert not tcp.control.rows


async def test_httpx_sends_through_the_socket(tmp_path):
    settings = SocketConfig(compat=True, rate=GENEROUS)
    async with daemon(tmp_path / "s", settings) as running:
        transport = httpx.AsyncHTTPTransport(uds=str(running.path))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            sent = [
                await client.post("/notifications/send", json={"title": "as the platform's"}),
                await client.post("/builds", content="as ntfy", headers={"X-Title": "Done"}),
                await client.post("/", json={"topic": "builds", "message": "as ntfy, JSON"}),
                await client.post("/message", data={"title": "as gotify", "message": "x"}),
                await client.post("/message", files={"message": (None, "in parts")}),
            ]
            refused = await client.post("/builds", content="x", headers={"Priority": "6"})
    assert [answer.status_code for answer in sent] == [202, 200, 200, 200, 200]
    assert refused.json()["code"] == 40007
    assert [message.body for message in running.control.messages.values()] == [
        "",
        "as ntfy",
        "as ntfy, JSON",
        "x",
        "in parts",
    ]
