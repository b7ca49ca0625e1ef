"""The fold: what to report, when, and what to send next. Pure: no loop, no clock, no disk."""
