"""Names of files may be any bytes; nothing of that stops the daemon."""

import os
from pathlib import Path

from support.daemon import PLENTY


def test_names_that_are_no_text(daemon, platform, tmp_path):
    (tmp_path / "d").mkdir()
    one = daemon(
        PLENTY
        + f"""
[triggers.logs]
type = "log"
paths = ["{tmp_path}/d/*.log"]
patterns = ["ERROR"]
before = 1
debounce = "100ms"
group_by = ["path"]
[triggers.files]
type = "file"
paths = ["{tmp_path}/d/*"]
debounce = "100ms"
"""
    ).start()
    name = os.fsencode(tmp_path / "d") + b"/caf\xe9.log"
    Path(os.fsdecode(name)).write_bytes(b"ERROR \xff one\n")
    got = [r.json for r in platform.waited(2)]
    assert {m["data"]["trigger"] for m in got} == {"logs", "files"}
    assert all("café.log" in message["title"] + message["body"] for message in got)
    one.kill()
    one.start()
    with Path(os.fsdecode(name)).open("ab") as file:
        file.write(b"ERROR two\n")
    one.ask("GET", "/v1/status")
    assert one.stop() == 0
