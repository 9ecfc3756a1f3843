"""The `antiphon` command: starts services, composes them in one process, and talks to them from a terminal."""
