"""Probes: checks that notifyd runs by itself, and whose results begin and end conditions."""
