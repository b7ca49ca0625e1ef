"""Routes in the form of other services, so that their clients work unchanged."""
