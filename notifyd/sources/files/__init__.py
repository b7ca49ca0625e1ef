"""Files that come, change and go."""
