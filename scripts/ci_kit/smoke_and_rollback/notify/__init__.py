"""Telling people and systems how a deployment ended: each channel is one module here, all with one interface."""
