"""The security decisions, free of HTTP and SQL."""
