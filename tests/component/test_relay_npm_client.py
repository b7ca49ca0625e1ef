"""The relay answers as the platform's npm client expects."""

import asyncio
import os
import shutil
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from support.npm_client import CALLS, SCRIPT
from support.visitor import visiting

ROOT = Path(__file__).parents[2]
ENTRY = Path(os.environ.get("OBLIEN_NPM_DIR", ROOT)) / "node_modules/oblien/dist/index.js"
"""Where `npm install oblien@2.4.0` puts the client, in this checkout or in $OBLIEN_NPM_DIR."""


async def test_every_recorded_call_is_answered_as_the_client_reads_it() -> None:
    kept: dict[str, object] = {}
    async with visiting() as visitor:
        for call in CALLS:
            path = call.path.format(**kept)
            headers = (
                {"Authorization": f"Bearer {kept['plain']}"}
                if call.with_token
                else {
                    "X-Client-ID": visitor.client.id,
                    "X-Client-Secret": visitor.client.secret,
                }
            )
            headers["Content-Type"] = "application/json"
            answer = await visitor.ask(call.method, path, headers=headers, json=call.body)
            assert (answer.status, answer.json["success"]) == (200, True), (path, answer)
            assert "the-push-token" not in str(answer.json), path
            found = answer.json
            for key in call.answer:
                found = found[int(key)] if isinstance(found, list) else found[key]
            for name, kind in call.fields.items():
                assert isinstance(found[name], kind), (path, name, found[name])
            if "status" in call.fields:
                assert found["status"] in ("active", "revoked")
            kept |= {name: found[source] for name, source in call.keep.items()}
        listed = await visitor.manage("GET", "/notifications/devices")
        assert listed.json["devices"] == []


@pytest.mark.skipif(
    not (ENTRY.exists() and shutil.which("node")), reason="the npm client is not installed"
)
async def test_the_client_itself_makes_every_call() -> None:
    async with visiting() as visitor:
        process = await asyncio.create_subprocess_exec(
            *("node", "--input-type=module", "--eval", SCRIPT),
            env={
                "PATH": os.environ["PATH"],
                "OBLIEN_CLIENT_ENTRY": str(ENTRY),
                "OBLIEN_BASE_URL": visitor.relay.url,
                "OBLIEN_CLIENT_ID": visitor.client.id,
                "OBLIEN_CLIENT_SECRET": visitor.client.secret,
            },
            stdout=PIPE,
            stderr=STDOUT,
        )
        output, _ = await process.communicate()
    assert output.decode() == "all calls answered\n"
    assert process.returncode == 0
