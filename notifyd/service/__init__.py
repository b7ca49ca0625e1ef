"""Installs notifyd as a service of systemd, for the system or for one user, and removes it."""
