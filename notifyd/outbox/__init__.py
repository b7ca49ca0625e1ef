"""The database: notifications, the fold's state and the sources' checkpoints, on disk."""
