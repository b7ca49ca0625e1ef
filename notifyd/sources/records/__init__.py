"""Shared by logs and the journal: matching of lines and records, their context, staleness."""
