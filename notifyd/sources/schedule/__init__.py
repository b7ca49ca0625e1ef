"""Recurring times: cron expressions on the wall clock."""
