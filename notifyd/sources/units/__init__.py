"""Units of systemd: failures, starts and stops, from the signals of a manager on D-Bus."""
