"""Records, context, unfinished lines and silence, from a log to the platform, over a kill."""

from support.daemon import wait_for

CONFIG = """
[triggers.crashes]
type = "log"
paths = ["{folder}/app.log"]
patterns = ['(?s)^(?P<what>\\w+).*lost$']
multiline = '^\\w'
before = 1
debounce = "0s"
cooldown = "0s"

[triggers.quiet]
type = "log"
paths = ["{folder}/quiet.log"]
stale = "1s"
debounce = "0s"
cooldown = "0s"

[triggers.prompt]
type = "log"
paths = ["{folder}/prompt.log"]
patterns = ['password:']
flush_partial = "100ms"
debounce = "0s"
cooldown = "0s"
"""


def of(platform, trigger):
    platform.waited(1)
    found = [received.json for received in platform.received]
    return [message["body"] for message in found if message["data"]["trigger"] == trigger]


def test_a_record_cut_by_a_kill_and_a_rotation_arrives_once_and_whole(daemon, platform, tmp_path):
    log = tmp_path / "app.log"
    log.touch()
    running = daemon(CONFIG.format(folder=tmp_path)).start()
    with log.open("a") as file:
        file.write("fine\nERROR one\n  at a\n")
    running.kill()
    with log.open("a") as file:
        file.write("  at b\n")
    log.rename(tmp_path / "app.log.1")
    with log.open("a") as file:
        file.write("  all is lost\nfine\n")
    running.start()
    wait_for(lambda: of(platform, "crashes"), what="the record arrives")
    assert of(platform, "crashes") == ["fine\nERROR one\n  at a\n  at b\n  all is lost"]


def test_silence_and_an_unfinished_line_arrive(daemon, platform, tmp_path):
    daemon(CONFIG.format(folder=tmp_path)).start()
    with (tmp_path / "prompt.log").open("a") as file:
        file.write("password:")
    wait_for(lambda: of(platform, "prompt"), what="the prompt arrives")
    wait_for(lambda: of(platform, "quiet"), what="the silence arrives")
    assert of(platform, "prompt") == ["password:"]
    assert of(platform, "quiet") == [f"no line in {tmp_path}/quiet.log for 1s"]


def test_explain_says_that_a_line_has_no_newline_as_long_as_nothing_matches(daemon, tmp_path):
    running = daemon(CONFIG.format(folder=tmp_path)).start()
    log = tmp_path / "app.log"
    log.write_text("ERROR all is lost")

    def explained():
        (explanation,) = running.ask("GET", "/v1/explain?trigger=crashes")["triggers"]
        return explanation

    wait_for(lambda: explained().get("unfinished_bytes") == 17, what="the unfinished line")
    with log.open("a") as file:
        file.write("\n")
    wait_for(lambda: explained()["matches"] == 1, what="the match")
    assert "unfinished_bytes" not in explained()


def test_colours_and_bars_of_a_log_are_not_in_the_notification(daemon, platform, tmp_path):
    daemon(CONFIG.format(folder=tmp_path)).start()
    bar = "".join(f"\r\x1b[32m{percent}%\x1b[0m" for percent in range(100))
    (tmp_path / "app.log").write_text(f"fine\n{bar}\r\x1b[31mERROR\x1b[0m it is lost\r\nfine\n")
    wait_for(lambda: of(platform, "crashes"), what="the record arrives")
    assert of(platform, "crashes") == ["fine\nERROR it is lost"]
