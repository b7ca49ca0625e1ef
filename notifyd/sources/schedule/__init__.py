"""Times that come again: cron expressions, by the clock on the wall."""
