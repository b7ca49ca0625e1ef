"""Processes that start and end, none of them our children."""
