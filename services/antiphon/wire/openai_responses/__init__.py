"""OpenAI Responses, in both directions: requests, answers, streams, counts of tokens and errors.

One module for each kind of object of the wire, with both directions side by side.

The codec itself is in `codec`: quirks and errors are imported without it.
"""
