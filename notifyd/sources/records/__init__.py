"""What logs and the journal share: lines and records matched, their context, their absence."""
