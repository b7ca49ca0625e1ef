"""From an order of the fold to an answer of the platform's API, and what that answer means."""
