"""Which files there are: what patterns name, where links lead, where rotated files lie."""
