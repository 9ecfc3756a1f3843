"""Anthropic Messages, in both directions: requests, answers, streams, counts of tokens and errors.

One package, because the format is the largest of all; each module is one kind of object of the wire, with both
directions side by side.

The codec itself is in `codec`: quirks and errors are imported without it.
"""
