"""The one error that a model raises for a request it can't serve, apart from faults of its own."""

from __future__ import annotations


class ContractError(ValueError):
    """The request breaks the model's contract; the message tells the caller what to change.

    It reaches the client as INVALID_ARGUMENT.
    """
