"""Lines written to files: followed over every rotation, matched, folded into records."""
