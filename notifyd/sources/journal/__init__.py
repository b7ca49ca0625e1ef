"""Entries of systemd's journal: read by `journalctl`, matched like the lines of a file."""
