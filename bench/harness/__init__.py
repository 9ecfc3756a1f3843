"""Figures of the recording harness."""
