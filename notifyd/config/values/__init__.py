"""Value types of configuration keys, other than times and sizes."""
