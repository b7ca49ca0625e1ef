"""Shared by logs and the journal: matching, records of several lines, context, standstills."""
