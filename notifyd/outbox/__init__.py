"""What is on disk: notifications, the fold's state and the sources' positions, in one database."""
