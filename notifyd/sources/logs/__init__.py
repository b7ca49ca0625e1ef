"""Lines of log files, followed over rotations and matched."""
