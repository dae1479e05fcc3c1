"""Prove a release good, watch it, take a bad one back."""
