"""A small service that knows who a caller is."""
