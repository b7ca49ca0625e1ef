"""Files that are created, modified and deleted."""
