"""Entries of systemd's journal: read with `journalctl`, matched like the lines of a file."""
