"""Mutants where it matters, within a time budget, and every survivor on its line."""
