"""The `notifyd` command: one module for each subcommand, imported only when it runs."""

from notifyd.cli.dispatch import COMMANDS, main

__all__ = ["COMMANDS", "main"]
