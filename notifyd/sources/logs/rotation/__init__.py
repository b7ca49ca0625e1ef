"""What became of files that lost their name: renamed, copied, truncated, while nobody looked."""
