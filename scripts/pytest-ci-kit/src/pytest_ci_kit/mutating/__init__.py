"""Run mutants in the consumer's interpreter: `python -m pytest_ci_kit.mutating TASK.json`, started by `ci_kit` in a copy.

Imports only pytest, coverage (to find the covering tests) and the standard library. POSIX only: it forks.
"""
