"""The exact interpreter and the project's locked packages in a virtual environment, from a cache that cannot be stale.

Two verbs, because `actions/cache/restore` stands between them: `resolve` decides how the project is installed and under
which key its downloads are cached; `install` makes the environment. What is cached is uv's own cache, and every
environment is installed anew from the project's lock: a cache hit saves downloads and builds, and decides nothing.
"""
