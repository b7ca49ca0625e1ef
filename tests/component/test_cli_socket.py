"""The commands that use the socket, as processes: their output and exit statuses."""

import asyncio
import json
import os
import socket

import pytest

from notifyd.client.http import send_request
from notifyd.config.sections import SocketConfig, SocketRateConfig
from notifyd.model.errors import DaemonUnreachableError, StoreUnavailableError
from notifyd.model.notifications import Message
from support.command import NOTIFYD, PATIENCE, Ran, run
from support.socket_api import Daemon, daemon, identity, open_directory


@pytest.fixture
async def served(tmp_path):
    async with daemon(tmp_path / "s") as running:
        yield running


@pytest.fixture
def notifyd(served: Daemon):
    """Run a command against the served socket."""

    async def against(*words: str, stdin: bytes = b"", **environ: str) -> Ran:
        return await run(*words, stdin=stdin, NOTIFYD_SOCK=str(served.path), **environ)

    return against


# --- send


async def test_send_prints_the_id(notifyd, served: Daemon):
    ran = await notifyd(
        *("send", "-t", "Hi", "-p", "high", "-d", "a=b=c", "-d", "x=", "-k", "key", "there", "you")
    )
    assert ran == Ran(0, "n1\n", "")
    assert served.control.messages["n1"] == Message("Hi", "there you", {"a": "b=c", "x": ""})
    assert (served.control.rows["n1"]["priority"], served.control.rows["n1"]["key"]) == (
        "high",
        "key",
    )


async def test_send_accepts_a_body_of_dashes_after_a_double_dash(notifyd, served: Daemon):
    assert (await notifyd("send", "--json", "--delay=30s", "--", "--x", "-")).status == 0
    assert served.control.messages["n1"].body == "--x -"
    assert served.control.rows["n1"]["status"] == "held"


async def test_send_keeps_the_end_of_a_long_stdin(notifyd, served: Daemon):
    lines = "".join(f"test {number} passed\n" for number in range(100_000))
    ran = await notifyd("send", "-", stdin=f"{lines}=== 1 failed ===\n".encode())
    assert ran == Ran(0, "n1\n", "")
    body = served.control.messages["n1"].body
    assert body.startswith("…\ntest 99")
    assert body.endswith("test 99999 passed\n=== 1 failed ===")
    assert 1_500 < len(body) <= 2_000
    await notifyd("send", "-", stdin="ä".encode() * 2_000_000 + b"\xff\n")
    body = served.control.messages["n2"].body
    assert (body[0], body[-1], {*body[1:-1]}) == ("…", "\ufffd", {"ä"})


async def test_send_shows_the_end_of_a_long_progress_bar(notifyd, served: Daemon):
    bars = b"".join(b"\r\x1b[32m%d%%\x1b[0m" % (number % 101) for number in range(100_000))
    await notifyd("send", "-", stdin=b"start\n" + bars + b"\rdone\n")
    assert served.control.messages["n1"].body.endswith("done")
    assert "%" not in served.control.messages["n1"].body


async def test_send_tail_sends_the_last_lines(notifyd, served: Daemon):
    await notifyd("send", "--tail", "2", "-", stdin=b"one\ntwo\nthree\n")
    assert served.control.messages["n1"].body == "two\nthree"
    await notifyd("send", "--tail=1", "x" * 5_000 + "end")
    body = served.control.messages["n2"].body
    assert (body[0], body[-4:]) == ("…", "xend")


async def test_send_drops_the_carriage_returns_and_colours_of_stdin(notifyd, served: Daemon):
    await notifyd("send", "-", stdin=b"\x1b[32mstep 1\x1b[0m\r\ndone\r\n")
    assert served.control.messages["n1"].body == "step 1\ndone"


async def test_send_waits_and_prints_the_result(notifyd, served: Daemon):
    served.control.report = {"status": "delivered", "delivered": 2, "failed": 1, "devices": 3}
    ran = await notifyd("send", "--wait", "hello")
    assert ran == Ran(0, "n1\ndelivered 2, failed 1, devices 3\n", "")


async def test_send_warns_when_there_is_no_device(notifyd, served: Daemon):
    served.control.report = {"status": "no_device", "delivered": 0, "failed": 0, "devices": 0}
    ran = await notifyd("send", "--wait=5s", "hello")
    assert (ran.status, ran.out) == (0, "n1\ndelivered 0, failed 0, devices 0\n")
    assert "no device is registered: install the app and sign in, or open the inbox" in ran.err
    served.control.report |= {"detail": "kept in the inbox; open the inbox page to see it"}
    ran = await notifyd("send", "--wait=5s", "hello")
    assert ran.err == "notifyd send: kept in the inbox; open the inbox page to see it\n"


async def test_send_says_why_it_was_not_delivered_in_time(notifyd, served: Daemon):
    served.control.state = {"delivery": {"error": "the network is down"}, "token": {"state": "ok"}}
    ran = await notifyd("send", "--wait=50ms", "hello")
    assert (ran.status, ran.out) == (75, "n1\n")
    assert ran.err.endswith("not delivered in time: the network is down\n")
    served.control.state = {"token": {"state": "refused"}}
    assert (await notifyd("send", "--wait=50ms", "hello")).status == 77


async def test_send_names_the_digest_it_was_merged_into(notifyd, served: Daemon):
    served.control.rows["n1"] = {"key": ""}

    async def held_back(notification_id, within):
        served.control.rows[notification_id] |= {"status": "merged", "merged_into": "n9"}

    served.control.wait_for_outcome = held_back
    ran = await notifyd("send", "--wait=50ms", "hello")
    assert (ran.status, ran.out) == (75, "n1\n")
    assert ran.err == "notifyd send: held back and merged into the digest n9\n"


async def test_send_says_once_that_it_went_over_the_budget(notifyd, served: Daemon):
    served.control.over_budget = True
    for words, status in ((["x"], 0), (["--wait=5s", "x"], 75)):
        ran = await notifyd("send", *words)
        assert ran.status == status
        assert ran.err == (
            "notifyd send: over the budget; it will arrive in a digest, counted with others\n"
        )


async def test_send_warns_about_reserved_data(notifyd, served: Daemon):
    ran = await notifyd("send", "-d", "trigger=mine", "-d", "a=trigger", "-d", "count=3", "x")
    assert (ran.status, ran.out) == (0, "n1\n")
    assert ran.err.startswith("notifyd send: -d trigger, count: reserved by notifyd")
    assert ran.err.count("\n") == 1
    assert served.control.messages["n1"].data["a"] == "trigger"


async def test_send_stops_reading_endless_input(notifyd, served: Daemon):
    with open("/dev/zero", "rb") as zero:  # noqa: ASYNC230, PTH123 - never read here
        process = await asyncio.create_subprocess_exec(
            *[*NOTIFYD, "send", "-t", "x", "-"],
            stdin=zero,
            stdout=asyncio.subprocess.PIPE,
            env={"NOTIFYD_SOCK": str(served.path)},
        )
        out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, out) == (0, b"n1\n")


async def test_send_says_that_stdin_is_closed(served: Daemon):
    process = await asyncio.create_subprocess_exec(
        *["sh", "-c", 'exec "$@" <&-', "sh", *NOTIFYD, "send", "-"],
        stderr=asyncio.subprocess.PIPE,
        env={"NOTIFYD_SOCK": str(served.path)},
    )
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, err) == (2, b"- reads from stdin, but stdin is closed\n")


async def test_send_fails_when_the_api_refused_the_notification(notifyd, served: Daemon):
    served.control.report = {"status": "failed", "last_error": "the API answered 422"}
    assert await notifyd("send", "--wait", "x") == Ran(
        1, "", "not delivered: the API answered 422\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["send"], "nothing to send"),
        (["send", "-d", "novalue", "x"], "use the form k=v (got 'novalue')"),
        (
            ["send", "-p", "hihg", "x"],
            "choice: 'hihg'; use one of: min, low, default, high, urgent; did you mean 'high'?",
        ),
        (["relay", "inbx"], "; did you mean 'inbox'?"),
        (["token", "crate"], "; did you mean 'create'?"),
        (["send", "--delay", "5", "x"], 'delay: invalid duration "5": add a unit'),
        (["send", "--delay", "9999d", "x"], "delay: must be at most 30d (got '9999d')"),
        (["send", "--wait=2m", "x"], "wait: must be at most 1m (got '2m')"),
        (["send", "--wait", "5s", "-t", "w"], "--wait=5s"),
        (["send", "--wait", "5s", "to", "go"], "--wait=5s"),
        (["send", "-t", "x", "--wait", "1h30m", "y", "z"], "--wait=1h30m"),
        (["send", "--tail", "0", "x"], "--tail: use a number of lines such as 20 (got '0')"),
        (["send", "--tail", "x", "x"], "--tail: use a number of lines such as 20 (got 'x')"),
        (["mute", "30"], 'invalid duration "30": add a unit, for example "30m"'),
        (["mute", "app", "30"], 'invalid duration "30": add a unit, for example "30m"'),
        (["mute", "app"], "missing duration; use for example `notifyd mute app 30m`"),
        (["history", "--since", "5"], 'since: invalid duration "5": add a unit'),
        (["send", "--wait[=D]", "x"], "--wait: use a duration"),
        (["send", "--wait=a&b", "x"], "--wait: use a duration"),
        (["send", "--titel", "x"], "unrecognized arguments: --titel; did you mean '--title'?"),
        (["send", "-t"], "expected one argument"),
        (["history", "-n", "0"], "limit: must be between 1 and 1000"),
        (
            ["history", "--since", "5"],
            '--since: invalid duration "5": add a unit, for example "5m"',
        ),
        (["cancel"], "required"),
        (["snd"], "unknown command 'snd'; did you mean 'send'?"),
        (["zzz"], "see `notifyd --help`"),
        (["mute", "a", "b", "1h"], "too many arguments; use `notifyd mute [TRIGGER] DURATION`"),
        ([], "usage: notifyd COMMAND"),
    ],
)
async def test_a_wrong_command_line_is_2(notifyd, words, message):
    ran = await notifyd(*words)
    assert (ran.status, ran.out) == (2, "")
    assert message in ran.err


async def test_try_again_later_is_75(tmp_path):
    async with daemon(
        tmp_path / "s", SocketConfig(rate=SocketRateConfig(max=1, per="1m"))
    ) as running:
        sock = str(running.path)
        assert (await run("send", "x", NOTIFYD_SOCK=sock)).status == 0
        ran = await run("send", "x", NOTIFYD_SOCK=sock)
        assert ran.status == 75
        assert "sends too fast" in ran.err


async def test_a_full_disk_is_75(notifyd, served: Daemon):
    served.control.failure = StoreUnavailableError("the disk is full")
    assert await notifyd("send", "x") == Ran(75, "", "the disk is full\n")


# --- where the daemon is


async def test_no_daemon_is_69_and_lists_the_sockets_and_how_to_start_one(tmp_path):
    ran = await run("send", "x", XDG_RUNTIME_DIR=f"{tmp_path}/run", XDG_STATE_HOME=f"{tmp_path}/st")
    assert (ran.status, ran.out) == (69, "")
    paths = [f"{tmp_path}/run/notifyd.sock", f"{tmp_path}/st/notifyd/notifyd.sock"]
    assert all(path in ran.err for path in [*paths, "/run/notifyd/notifyd.sock"])
    assert "`notifyd run`" in ran.err


async def test_the_first_socket_that_answers_is_used(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "st" / "notifyd").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(f"{tmp_path}/run/notifyd.sock")
    environ = {"XDG_RUNTIME_DIR": f"{tmp_path}/run", "XDG_STATE_HOME": f"{tmp_path}/st"}
    async with daemon(tmp_path / "st" / "notifyd" / "notifyd.sock") as running:
        assert (await run("send", "x", **environ)).out == "n1\n"
        assert running.control.rows
        ran = await run("send", "--socket", f"{tmp_path}/run/notifyd.sock", "x", **environ)
        assert ran.status == 69


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(
    ("mode", "group", "who"),
    [
        ("0660", "adm", "it is for the group adm; join it with `usermod -aG adm $USER`"),
        ("0600", "adm", "it is for the user root; run this as root, or let `group`"),
        ("0660", "root", "it is for the user root; run this as root, or let `group`"),
    ],
)
async def test_the_error_for_a_forbidden_socket_says_who_may_connect(mode, group, who):
    with open_directory() as folder:
        async with daemon(folder / "s", SocketConfig(mode=mode, group=group)):
            with identity(4001, 4001), pytest.raises(DaemonUnreachableError) as caught:
                send_request("GET", "/healthz", socket_path=str(folder / "s"))
    assert who in str(caught.value)


async def test_another_server_on_the_socket_is_69(tmp_path):
    async def babble(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail ready\r\n")
        writer.close()

    server = await asyncio.start_unix_server(babble, tmp_path / "s")
    ran = await run("status", NOTIFYD_SOCK=str(tmp_path / "s"))
    assert ran.status == 69
    assert "is not notifyd's" in ran.err
    server.close()


async def test_an_answer_in_chunks_is_understood(tmp_path):
    async def chunked(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"success":true,"notifications":[]}'
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"8\r\n" + body[:8] + b"\r\n%x\r\n" % len(body[8:]) + body[8:] + b"\r\n")
        writer.write(b"0\r\n\r\n")
        writer.close()

    server = await asyncio.start_unix_server(chunked, tmp_path / "s")
    assert await run("history", "--socket", str(tmp_path / "s")) == Ran(0, "no notifications\n", "")
    server.close()


# --- the other commands


async def test_history_is_safe_for_the_terminal(notifyd, served: Daemon):
    await notifyd("send", "-t", "a\x07b\u200e\nc", "x")
    served.control.rows["n1"] |= {"trigger": "disk", "count": 3, "last_error": "no\troute"}
    line = "2023-11-14  queued  disk  3x  a\ufffdb c\n    n1: no route\n"
    assert await notifyd("history") == Ran(0, line, "")
    assert (await notifyd("history", "--status", "failed")).out == "no notifications\n"
    served.control.rows["n1"] |= {"status": "merged", "last_error": "", "merged_into": "n7"}
    assert (await notifyd("history")).out.endswith("  a\ufffdb c\n    merged into n7\n")
    listed = json.loads((await notifyd("history", "--json")).out)
    assert listed["notifications"][0]["title"] == "a\x07b\u200e\nc"


async def test_history_fits_eighty_columns(notifyd, served: Daemon):
    await notifyd("send", "-t", "a long title " * 10, "x")
    served.control.rows["n1"] |= {
        "trigger": "a-trigger-with-a-long-name-too",
        "status": "no_device",
        "count": 1234,
        "last_error": "the API accepted it, " * 10,
    }
    lines = (await notifyd("history", COLUMNS="80")).out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].endswith("…")
    assert " ".join(" ".join(lines[1:]).split()) == "n1: " + ("the API accepted it, " * 10).strip()


async def test_history_of_one_trigger_and_of_a_time(notifyd, served: Daemon):
    assert (await notifyd("history", "app a&b", "--since", "1h")).status == 0
    assert served.control.listed == ("app a&b", 3600.0)


async def test_status_check_is_for_scripts(notifyd, served: Daemon):
    served.control.state = {"healthy": True, "status": "ok"}
    assert await notifyd("status", "--check") == Ran(0, "ok\n", "")
    served.control.state = {"healthy": False, "status": "token_refused"}
    assert await notifyd("status", "--check") == Ran(1, "token_refused\n", "")
    assert (await notifyd("status", "--check", "--json")).status == 1


async def test_status_lists_the_noisiest_trigger_first(notifyd, served: Daemon):
    counts = {"type": "log", "matches": 1, "notifications": 1}
    triggers = {"quiet": counts | {"per_hour": 0.04}, "noisy": counts | {"per_hour": 0.5}}
    served.control.state = {"triggers": triggers}
    rows = [line.split() for line in (await notifyd("status")).out.splitlines() if "log" in line]
    assert [(row[0], row[-1]) for row in rows] == [("noisy", "0.5"), ("quiet", "0")]


async def test_cancel_prints_the_answer_as_json(notifyd):
    await notifyd("send", "x")
    answer = json.loads((await notifyd("cancel", "n1", "--json")).out)
    assert answer["notifications"][0]["status"] == "cancelled"


async def test_test_sends_what_a_trigger_would_send(notifyd, served: Daemon):
    assert await notifyd("test", "app") == Ran(0, "n1\n", "")
    assert served.control.messages["n1"] == Message("app", "sample", {})
    assert json.loads((await notifyd("test", "app", "--json")).out)["status"] == "queued"
    assert await notifyd("test", "a/b") == Ran(2, "", "there is no trigger 'a/b'\n")


async def test_reserved_data_is_answered_with_a_warning(served: Daemon):
    body = {"title": "x", "data": {"count": "3", "a": 1, "trigger": "mine"}}
    _, answer = await asyncio.to_thread(
        send_request, "POST", "/notifications/send", body=body, socket_path=str(served.path)
    )
    assert answer["warning"] == (
        "data.count, data.trigger: reserved by notifyd; your value was replaced"
    )


async def test_times_are_written_for_people_too(notifyd):
    await notifyd("send", "x")
    (row,) = json.loads((await notifyd("history", "--json")).out)["notifications"]
    assert (row["created"], row["created_iso"][:8]) == (1_700_000_000.0, "2023-11-")
    answer = json.loads((await notifyd("mute", "app", "1h", "--json")).out)
    assert answer["until_iso"].startswith("2023-11-")


async def test_cancel_by_id_and_by_key(notifyd):
    await notifyd("send", "x")
    await notifyd("send", "-k", "k&?", "x")
    assert (await notifyd("cancel", "n1")).out == "n1: cancelled\n"
    assert (await notifyd("cancel", "-k", "k&?")).out == "n2: cancelled\n"
    assert await notifyd("cancel", "n/9") == Ran(1, "", "no queued notification with that id\n")


async def test_mute_prints_its_end(notifyd, served: Daemon):
    ran = await notifyd("mute", "app", "30m")
    assert (ran.status, served.control.muted) == (0, {"app": 1800.0})
    assert ran.out == "app: muted until 2023-11-14 22:43:20, then reported in one digest\n"
    assert (await notifyd("mute", "off")).out == "all but urgent: not muted\n"
    assert served.control.muted[""] == 0.0
    ran = await notifyd("mute", "1 hour")
    assert (ran.status, ran.out) == (2, "")
    assert "invalid duration" in ran.err
    assert (await notifyd("mute", "ap", "1h")).status == 2


async def test_explain_of_one_trigger(notifyd):
    ran = await notifyd("explain", "a b")
    assert (ran.status, ran.out) == (
        0,
        "a b (log): 0 matches, 0 notifications\n  no matches yet\n",
    )


async def test_retry_by_id_for_all_failed_and_for_queued_notifications(notifyd, served: Daemon):
    for _ in range(3):
        await notifyd("send", "x")
        list(served.control.rows.values())[-1]["status"] = "failed"
    assert await notifyd("retry", "n1") == Ran(0, "n1: queued\n", "")
    assert await notifyd("retry", "n1") == Ran(1, "", "it was delivered\n")
    assert await notifyd("retry", "--all") == Ran(
        0, "2 notifications queued again; 2 waiting\n", ""
    )
    assert await notifyd("retry") == Ran(0, "none waiting\n", "")
    assert json.loads((await notifyd("retry", "--json")).out)["retried"] == 0
    ran = await notifyd("retry", "n1", "--status", "expired")
    assert (ran.status, ran.err) == (2, "--status requires --all\n")


async def test_reload_prints_problems_and_the_keys_that_need_a_restart(notifyd, served: Daemon):
    served.control.reloaded = {"reloaded": True, "problems": [], "restart": ["socket.path"]}
    ran = await notifyd("reload")
    assert (ran.status, ran.out) == (0, "configuration reloaded\n")
    assert "socket.path" in ran.err
    served.control.reloaded = {"reloaded": False, "problems": ["a.toml: b: c"], "restart": []}
    ran = await notifyd("reload")
    assert (ran.status, ran.out) == (78, "")
    assert ran.err == "a.toml: b: c\nkept the old configuration; 1 problem\n"


async def test_status_as_json_is_the_daemons_own(notifyd, served: Daemon):
    ran = await notifyd("status", "--json")
    assert json.loads(ran.out) == {"success": True, **served.control.state}


async def test_status_shows_problems(notifyd, served: Daemon):
    served.control.state = {"token": {"state": "refused", "source": "NOTIFYD_SEND_TOKEN"}}
    ran = await notifyd("status")
    assert ran.status == 0
    assert "the send token is refused" in ran.out


async def test_tables_fit_a_terminal_and_are_whole_in_a_pipe(notifyd):
    whole = (await notifyd("api", "list")).out
    fitting = (await notifyd("api", "list", "sandbox", COLUMNS="80")).out
    assert max(map(len, whole.splitlines())) > 100
    assert "…" not in whole
    assert max(map(len, fitting.splitlines())) <= 80
    assert " /sandbox/:sandbox_id/metrics  " in fitting
    assert "…" in fitting


async def test_the_history_is_whole_in_a_pipe(notifyd):
    text = "a title with many words " * 5
    await notifyd("send", "-t", text)
    assert text.strip() in (await notifyd("history")).out
