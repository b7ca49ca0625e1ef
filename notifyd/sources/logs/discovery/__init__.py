"""Finds logs and their rotated files: path patterns, symbolic links, inotify, directories."""
