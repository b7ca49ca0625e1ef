"""Starts and exits of processes that notifyd did not start."""
