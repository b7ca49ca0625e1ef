"""Command probes: a process of their own runs the commands; their results become events."""
