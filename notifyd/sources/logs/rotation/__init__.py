"""Finds out what rotation did to logs while they were not watched: renamed, copied, truncated."""
