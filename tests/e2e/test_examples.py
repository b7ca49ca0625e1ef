"""The files in examples/ work, with stand-ins for the libraries and programs that call them."""

import importlib.util
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from support.daemon import PLENTY, wait_for
from support.shell import environ

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str, monkeypatch, socket: Path, **bases: str) -> ModuleType:
    """Import an example. bases: modules of libraries by the name of the class that each has."""
    for base, module in bases.items():
        library = ModuleType(module)
        setattr(library, base, type(base, (), {}))
        monkeypatch.setitem(sys.modules, module.partition(".")[0], ModuleType("library"))
        monkeypatch.setitem(sys.modules, module, library)
    monkeypatch.setenv("NOTIFYD_SOCK", str(socket))
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    return example


class Scalar:
    """A number of another library."""

    def __init__(self, value: float) -> None:
        self._value = value

    def item(self) -> float:
        return self._value


def pushes(platform, count: int) -> list[dict]:
    wait_for(lambda: len(platform.delivered) == count)
    return [push.json for push in platform.delivered.values()]


@pytest.mark.parametrize("name", ["huggingface_callback", "lightning_callback"])
def test_a_callback_is_short(name):
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 30


def test_the_callback_of_hugging_face_reports_the_end_and_a_loss_that_is_nan(
    daemon, platform, monkeypatch
):
    one = daemon(PLENTY).start()
    example = load("huggingface_callback", monkeypatch, one.socket, TrainerCallback="transformers")
    callback = example.NotifydCallback("llama")
    state = SimpleNamespace(is_world_process_zero=True, global_step=10)
    for logs in ({"loss": 0.5}, {"loss": float("nan")}, {"loss": float("nan")}):
        callback.on_log(None, state, None, logs=logs)
    other = SimpleNamespace(is_world_process_zero=False, global_step=10)
    callback.on_train_end(None, other, None)
    callback.on_train_end(None, state, None)
    diverged, finished = pushes(platform, 2)
    assert (diverged["title"], finished["title"]) == ("llama diverged", "llama finished")
    assert diverged["data"]["priority"] == "high"
    assert diverged["data"]["logs"] == {"loss": "NaN"}
    assert finished["body"] == "step 10"


def test_the_callback_of_lightning_reports_the_end_and_an_exception(daemon, platform, monkeypatch):
    one = daemon(PLENTY).start()
    example = load("lightning_callback", monkeypatch, one.socket, Callback="lightning.pytorch")
    callback = example.NotifydCallback()
    trainer = SimpleNamespace(
        is_global_zero=True,
        current_epoch=3,
        global_step=99,
        callback_metrics={"loss": Scalar(0.25)},
    )
    callback.on_train_end(trainer, None)
    callback.on_exception(trainer, None, ValueError("bad batch"))
    finished, failed = sorted(pushes(platform, 2), key=lambda push: push["title"], reverse=True)
    assert (finished["title"], finished["body"]) == ("training finished", "epoch 3, step 99")
    assert finished["data"]["metrics"] == {"loss": 0.25}
    assert failed["title"] == "training failed"
    assert failed["body"] == "epoch 3, step 99\nValueError('bad batch')"


def test_a_callback_does_not_stop_a_training_without_a_daemon(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    example = load(
        "lightning_callback", monkeypatch, tmp_path / "none", Callback="lightning.pytorch"
    )
    trainer = SimpleNamespace(
        is_global_zero=True, current_epoch=0, global_step=0, callback_metrics={}
    )
    example.NotifydCallback().on_train_end(trainer, None)


def test_slurms_mails_are_pushes(daemon, tmp_path, platform):
    one = daemon(PLENTY).start()
    env = environ(tmp_path, NOTIFYD_SOCK=str(one.socket))
    for subject in (
        "Slurm Job_id=7 Name=train Ended, Run time 01:00:00, COMPLETED, ExitCode 0",
        "Slurm Job_id=8 Name=train Failed, Run time 00:00:01, FAILED, ExitCode 1",
    ):
        subprocess.run(
            [EXAMPLES / "slurm-mail", "-s", subject, "ada"], env=env, check=True, timeout=90
        )
    ended, failed = sorted(pushes(platform, 2), key=lambda push: push["title"])
    assert "Job_id=7" in ended["title"]
    assert (ended["data"]["priority"], ended["data"]["recipient"]) == ("default", "ada")
    assert failed["data"]["priority"] == "high"


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_step_of_github_actions_sends_straight_to_the_platform(platform):
    script = textwrap.dedent((EXAMPLES / "github-actions.yml").read_text().partition("run: |\n")[2])
    env = {
        "PATH": os.environ["PATH"],
        "NOTIFYD_SEND_TOKEN": platform.token,
        "NOTIFYD_API__URL": platform.url,
        "GITHUB_REPOSITORY": "ada/engine",
        "GITHUB_WORKFLOW": "build",
        "GITHUB_REF_NAME": 'a"b',
        "GITHUB_ACTOR": "ada",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_RUN_ID": "7",
    }
    subprocess.run(["bash", "-e", "-c", script], env=env, check=True, timeout=90)
    [push] = platform.received
    assert push.json == {
        "title": "ada/engine: build failed",
        "body": 'a"b by ada',
        "data": {"url": "https://github.com/ada/engine/actions/runs/7"},
    }
    assert push.token == platform.token


def test_the_command_of_the_container_sends_through_the_socket(daemon, platform):
    one = daemon(PLENTY).start()
    command = (EXAMPLES / "compose.yaml").read_text().partition("- >-\n")[2]
    env = {"PATH": os.environ["PATH"], "NOTIFYD_SOCK": str(one.socket)}
    script = " ".join(command.replace("$$", "$").split())
    subprocess.run(["sh", "-c", script], env=env, check=True, timeout=90, capture_output=True)
    [push] = pushes(platform, 1)
    assert (push["title"], push["data"]["priority"]) == ("Backup finished", "low")
