"""What each path of the local API does, one module for each group of routes."""
