"""Build hook: a source distribution holds the files that git tracks, and no others."""

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TrackedFilesHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Restrict the build to tracked files.

        Does nothing outside a git checkout of this project, such as in an unpacked sdist: there
        all files came from one already.
        """
        if not (Path(self.root) / ".git").exists():
            return
        done = subprocess.run(
            ["git", "ls-files", "-z"],  # noqa: S607 - whichever git made the checkout
            cwd=self.root,
            capture_output=True,
            text=True,
            check=True,
        )
        self.build_config.target_config["only-include"] = done.stdout.rstrip("\0").split("\0")
