"""The client side of a hop: a channel that notices dead peers, and what a call carries over it."""

from __future__ import annotations

import grpc
import grpc.aio
from opentelemetry.propagate import inject

from antiphon.core.call import Call
from antiphon.core.validation import MAX_BYTES

SLACK = 16 * 1024 * 1024
"""Bytes over the legal size that grpc itself lets through, so that our own typed error can say what is wrong."""

OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Without this a dead peer takes a minute to notice, whatever keepalive says (grpc's own ping default).
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", MAX_BYTES + SLACK),
    ("grpc.max_send_message_length", MAX_BYTES + SLACK),
    # Retries have one owner, and it is not the transport: it cannot know what a call costs.
    ("grpc.enable_retries", 0),
)


def connect(address: str) -> grpc.aio.Channel:
    """A channel to `address` (host:port or unix:path). Connects on first use, and again after a loss."""
    return grpc.aio.insecure_channel(address, options=OPTIONS)


def outgoing(call: Call) -> tuple[tuple[str, str], ...]:
    """The metadata of an onward call: what services hand on, and the trace."""
    carrier = dict(call.metadata)
    inject(carrier, context=call.trace)
    return tuple(carrier.items())
