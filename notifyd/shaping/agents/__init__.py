"""Sessions of coding agents, as part of the fold. Begin with `sessions.py`."""
