"""What the adapter adds to every answer and error of a provider, whichever way it takes."""

from __future__ import annotations

from antiphon.adapter.providers import Provider
from antiphon.adapter.replies import OpenReply
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.telemetry.genai import Operation
from antiphon.v1 import chat_pb2


def note(op: Operation, reply: OpenReply) -> None:
    """Tell the span what is known of a reply by its head."""
    if reply.recording.get("replayed"):
        op.replayed(str(reply.recording.get("cassette", "")))
    if synthetic := reply.recording.get("synthetic"):
        op.synthetic(str(synthetic))
    if reply.request_id:
        op.request_id(reply.request_id)


def label(completion: chat_pb2.Completion, provider: Provider, reply: OpenReply) -> None:
    """Say in an answer where it comes from."""
    completion.provider = provider.name
    completion.upstream_request_id = reply.request_id
    completion.replayed = bool(reply.recording.get("replayed"))


def refused(provider: Provider, model: str, error: ServiceError, reply: OpenReply) -> ServiceError:
    """The provider's error with what the codec cannot know; a missing model says how to find the right name."""
    error.metadata.update(
        {"provider": provider.name, "model": model, "http_status": str(reply.status)}
        | ({"upstream_request_id": reply.request_id} if reply.request_id else {})
        | ({"synthetic": str(reply.recording["synthetic"])} if "synthetic" in reply.recording else {})
    )
    error.message = f"{provider.name}: {error.message}"
    if error.reason is Reason.MODEL_NOT_FOUND:
        error.message += f"; `antiphon models --provider {provider.name}` lists what there is"
    elif error.reason is Reason.INVALID_CREDENTIALS and provider.key_names:
        error.message += f"; the key comes from {' or '.join(provider.key_names)}"
    return error
