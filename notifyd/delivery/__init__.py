"""Delivery: one request per attempt to the platform's API, and what its answer means."""
