"""Many shards' coverage data into one number that can be trusted, or no number."""
