"""The Python behind ci-kit's actions: one package a room, one module for what rooms share."""
