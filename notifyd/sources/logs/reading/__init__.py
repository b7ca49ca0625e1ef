"""Reads open log files, and remembers how far each file was read."""
