"""Open files: where reading stands in each, and what is remembered of those that are not open."""
