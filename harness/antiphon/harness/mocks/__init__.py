"""Mocks: answers without a recording, for requests that fit, from a fixed answer or a function of one's own."""

from antiphon.harness.mocks.answers import Failing, chunked, events, fixed
from antiphon.harness.mocks.source import Handler, Mock, MockFailed, Mocks

__all__ = ["Failing", "Handler", "Mock", "MockFailed", "Mocks", "chunked", "events", "fixed"]
