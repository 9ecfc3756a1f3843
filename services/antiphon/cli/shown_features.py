"""What a recorded exchange shows of a provider, read by the codecs: the evidence of the conformance table.

The wire is found by the path that was asked, so recordings of any folder count, also those of providers that have no
row here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import httpx

from antiphon.adapter.wires import CHAT_WIRES, EMBEDDING_WIRES, MODEL_WIRES
from antiphon.cli.render import calls_of, text_of
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import Fold
from antiphon.harness.conformance import Evidence, Verdict
from antiphon.harness.holdings import Item
from antiphon.harness.modes import Outcome
from antiphon.v1 import chat_pb2, content_pb2, tools_pb2
from antiphon.wire.base import ChatCall, ChatWire, HttpCall, HttpReply

_CHATS: Final = (
    (r"/chat/completions$", "openai_chat"),
    (r"/responses$", "openai_responses"),
    (r"/messages$", "anthropic_messages"),
    (r":(generate|streamGenerate)Content$", "gemini"),
    (r"/model/[^/]+/converse(-stream)?$", "bedrock_converse"),
    (r"/v2/chat$", "cohere_chat"),
    (r"/api/chat$", "ollama_chat"),
)
_EMBEDDINGS: Final = (
    (r"/embeddings$", "openai_embeddings"),
    (r":(embedContent|batchEmbedContents)$", "gemini_embeddings"),
    (r"/model/[^/]*embed[^/]*/invoke$", "bedrock_embeddings"),
    (r"/v2/embed$", "cohere_embeddings"),
    (r"/api/embed$", "ollama_embeddings"),
)
_MODELS: Final = (
    (r"googleapis\.com/v1(beta)?/models$", "gemini_models"),
    (r"/models$", "openai_models"),
    (r"/api/tags$", "ollama_models"),
)
_ANSWERS_ONLY: Final = (
    (r"/messages/count_tokens$|:countTokens$|/count-tokens$|/input_tokens$", "counts"),
    (r"/(completions|moderations|rerank|tokenize|detokenize)$|/api/(generate|show|tags|version)$", "other answers"),
)
_REFUSALS: Final = frozenset({Reason.UNSUPPORTED_PARAMETER, Reason.UNSUPPORTED_OPERATION, Reason.INVALID_REQUEST})

Asked = Callable[[ChatCall], bool]
Shown = Callable[[chat_pb2.Completion], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Something a chat can be asked for: whether a request asks, and whether an answer has it.

    A `basic` one is never what a provider refuses a request for. `only_shown` is for what comes by occasion: an answer
    without it is no evidence.
    """

    name: str
    asked: Asked
    shown: Shown
    basic: bool = False
    only_shown: bool = False


def _answered(completion: chat_pb2.Completion) -> bool:
    return any(message.parts for output in completion.outputs for message in output.messages)


def _request_has(kind: str) -> Asked:
    return lambda call: any(part.HasField(kind) for message in call.spec.messages for part in message.parts)  # type: ignore[arg-type]


def _media(prefix: str, modality: content_pb2.Modality.ValueType) -> Asked:
    return lambda call: any(
        part.HasField("media") and (part.media.modality == modality or part.media.media_type.startswith(prefix))
        for message in call.spec.messages
        for part in message.parts
    )


def _has_role(role: content_pb2.Role.ValueType) -> Asked:
    return lambda call: any(message.role == role for message in call.spec.messages)


def _ended(*reasons: chat_pb2.FinishReason.ValueType) -> Shown:
    return lambda completion: any(output.finish_reason in reasons for output in completion.outputs)


def _is_json(completion: chat_pb2.Completion) -> bool:
    try:
        json.loads(text_of(completion))
    except ValueError:
        return False
    return True


def _offered_tools(call: ChatCall) -> bool:
    """Whether a call of a tool is what to expect: after its result comes an answer."""
    messages = call.spec.messages
    return bool(call.spec.tools) and not any(part.HasField("tool_result") for part in messages[-1].parts)


def _reasoned(completion: chat_pb2.Completion) -> bool:
    parts = (part for output in completion.outputs for message in output.messages for part in message.parts)
    return completion.usage.reasoning_tokens > 0 or any(part.HasField("reasoning") for part in parts)


FEATURES: Final = (
    Feature(name="chat", asked=lambda call: not call.stream, shown=_answered, basic=True),
    Feature(name="streaming", asked=lambda call: call.stream, shown=_answered, basic=True),
    Feature(
        name="usage", asked=lambda call: not call.stream, shown=lambda c: c.usage.HasField("output_tokens"), basic=True
    ),
    Feature(
        name="usage in streams",
        asked=lambda call: call.stream,
        shown=lambda c: c.usage.HasField("output_tokens"),
        basic=True,
    ),
    Feature(name="system message", asked=_has_role(content_pb2.ROLE_SYSTEM), shown=_answered, basic=True),
    Feature(name="conversation", asked=_has_role(content_pb2.ROLE_ASSISTANT), shown=_answered, basic=True),
    Feature(name="tools", asked=_offered_tools, shown=lambda c: bool(calls_of(c))),
    Feature(
        name="parallel tool calls",
        asked=lambda call: bool(call.spec.tools),
        shown=lambda c: len(calls_of(c)) > 1,
        only_shown=True,
    ),
    Feature(
        name="required tools",
        asked=lambda call: call.spec.tool_choice.mode == tools_pb2.ToolChoice.MODE_REQUIRED,
        shown=lambda c: bool(calls_of(c)),
    ),
    Feature(name="tool results", asked=_request_has("tool_result"), shown=_answered, basic=True),
    Feature(name="vision", asked=_media("image/", content_pb2.MODALITY_IMAGE), shown=_answered),
    Feature(name="audio", asked=_media("audio/", content_pb2.MODALITY_AUDIO), shown=_answered),
    Feature(name="documents", asked=_media("application/pdf", content_pb2.MODALITY_DOCUMENT), shown=_answered),
    Feature(name="json schema", asked=lambda call: call.spec.response_format.HasField("json_schema"), shown=_is_json),
    Feature(name="json object", asked=lambda call: call.spec.response_format.HasField("json_object"), shown=_is_json),
    Feature(name="reasoning", asked=lambda call: call.spec.HasField("reasoning"), shown=_reasoned),
    Feature(
        name="stop texts",
        asked=lambda call: bool(call.spec.sampling.stop),
        shown=_ended(chat_pb2.FINISH_REASON_STOP, chat_pb2.FINISH_REASON_STOP_SEQUENCE),
        only_shown=True,
    ),
    Feature(
        name="length limit",
        asked=lambda call: call.spec.HasField("max_output_tokens"),
        shown=_ended(chat_pb2.FINISH_REASON_LENGTH),
        only_shown=True,
    ),
    Feature(
        name="cached prompts", asked=lambda _: True, shown=lambda c: c.usage.cache_read_tokens > 0, only_shown=True
    ),
)
"""What chats are looked at for, in the order of the table."""

NAMES: Final = (*(feature.name for feature in FEATURES), "embeddings", "models", "typed errors")
"""Every row of the table."""


def evidence(items: Iterable[Item]) -> Iterator[Evidence]:
    """Yield what recordings show. One of no known format shows nothing."""
    for item in items:
        if item.interaction.answer.outcome is not Outcome.COMPLETE:
            continue
        for feature, verdict in _read(item):
            yield Evidence(provider=item.provider, feature=feature, verdict=verdict, label=item.label)


def only_answers(method: str, url: httpx.URL) -> bool:
    """Whether a request is known to make or change nothing at the provider: it may be repeated."""
    path = url.path.rstrip("/")
    tables = (*_CHATS, *_EMBEDDINGS, *_ANSWERS_ONLY)
    return method.upper() in ("GET", "HEAD") or (method.upper() == "POST" and bool(_of(tables, path)))


def _read(item: Item) -> Iterator[tuple[str, Verdict]]:
    asked, answer = item.interaction.request, item.interaction.answer
    url = httpx.URL(asked.url)
    path = url.path.rstrip("/")
    reply = HttpReply(status=answer.status, body=answer.body, headers=dict(answer.headers))
    if name := _of(_CHATS, path):
        call = HttpCall(method=asked.method, path=path, body=asked.body, headers=dict(asked.headers))
        chats = CHAT_WIRES[name]()
        yield from _chat(chats.codec(chats.quirks()), call, reply)
    elif name := _of(_EMBEDDINGS, path):
        embeds = EMBEDDING_WIRES[name]()
        wire = embeds.codec(embeds.quirks())
        yield from _list("embeddings", wire, lambda: bool(wire.decode_response(reply).embeddings), reply)
    elif asked.method == "GET" and (name := _of(_MODELS, f"{url.host}{path}")):
        lists = MODEL_WIRES[name]()
        lister = lists.codec(lists.quirks())
        yield from _list("models", lister, lambda: bool(lister.decode_list(reply).models), reply)


def _chat(wire: ChatWire, call: HttpCall, reply: HttpReply) -> Iterator[tuple[str, Verdict]]:
    if reply.status >= 400:
        yield from _error(wire, reply)
    if not call.body:
        return  # some recorders keep no request, so nobody knows what was asked
    try:
        asked = wire.decode_request(call)
    except ServiceError:
        if reply.status < 400:
            yield "chat", Verdict.UNREADABLE
        return
    wanted = [feature for feature in FEATURES if feature.asked(asked)]
    if reply.status >= 400:
        if wire.decode_error(reply).reason in _REFUSALS:
            for feature in wanted:
                if not feature.basic and not feature.only_shown:
                    yield feature.name, Verdict.REFUSED
        return
    try:
        completion = _folded(wire, reply) if asked.stream else wire.decode_response(reply)
    except ServiceError as error:
        verdict = Verdict.UNREADABLE if error.reason is Reason.MALFORMED_RESPONSE else Verdict.REFUSED
        yield ("streaming" if asked.stream else "chat"), verdict
        return
    for feature in wanted:
        if feature.shown(completion):
            yield feature.name, Verdict.SHOWN
        elif not feature.only_shown:
            yield feature.name, Verdict.NOT_SHOWN


def _folded(wire: ChatWire, reply: HttpReply) -> chat_pb2.Completion:
    decoder, fold = wire.stream_decoder(), Fold()
    rest = reply.body
    while events := decoder.feed(rest):
        for event in events:
            fold.add(event)
        rest = b""
    for event in decoder.close():
        fold.add(event)
    return fold.completion()


def _list(name: str, wire: object, full: Callable[[], bool], reply: HttpReply) -> Iterator[tuple[str, Verdict]]:
    if reply.status >= 400:
        yield from _error(wire, reply)
        return
    try:
        yield name, Verdict.SHOWN if full() else Verdict.NOT_SHOWN
    except ServiceError:
        yield name, Verdict.UNREADABLE


def _error(wire: object, reply: HttpReply) -> Iterator[tuple[str, Verdict]]:
    reason = wire.decode_error(reply).reason  # type: ignore[attr-defined]  # every wire has it
    yield "typed errors", Verdict.NOT_SHOWN if reason is Reason.UNEXPECTED_STATUS else Verdict.SHOWN


def _of(table: Iterable[tuple[str, str]], text: str) -> str:
    return next((name for pattern, name in table if re.search(pattern, text)), "")
