"""What changes at the platform: answers of its API, polled within a shared rate."""
