"""`antiphon chat`: one question, answered whole or as it comes."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

import typer
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from antiphon.cli import exits, terminal
from antiphon.cli.client import Connection, perform
from antiphon.cli.media import image
from antiphon.cli.render import AnswerPrinter, summary
from antiphon.core.fold import Fold
from antiphon.core.remote import RemoteBackend
from antiphon.v1 import chat_pb2, content_pb2


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the user asks, and how. None and empty are unset."""

    model: str
    text: str
    system: str = ""
    images: Sequence[str] = ()
    max_output_tokens: int | None = None
    temperature: float | None = None

    def spec(self) -> chat_pb2.ChatSpec:
        """The question in the contract's words. Raises typer.BadParameter for an image that cannot be read."""
        spec = chat_pb2.ChatSpec(model=self.model)
        if self.system:
            spec.messages.append(message(content_pb2.ROLE_SYSTEM, self.system))
        user = content_pb2.Message(role=content_pb2.ROLE_USER, parts=[image(place) for place in self.images])
        user.parts.add(text=content_pb2.TextPart(text=self.text))
        spec.messages.append(user)
        if self.max_output_tokens is not None:
            spec.max_output_tokens = self.max_output_tokens
        if self.temperature is not None:
            spec.sampling.temperature = self.temperature
        return spec


def message(role: content_pb2.Role.ValueType, text: str) -> content_pb2.Message:
    """A message of one text."""
    return content_pb2.Message(role=role, parts=[content_pb2.Part(text=content_pb2.TextPart(text=text))])


def words(given: Sequence[str]) -> str:
    """The arguments as one text, or standard input for `-`. Raises typer.BadParameter for nothing and for non-text."""
    try:
        text = sys.stdin.buffer.read().decode() if list(given) == ["-"] else " ".join(given)
        text.encode()
    except UnicodeError as error:
        raise typer.BadParameter("is not UTF-8 text", param_hint="TEXT") from error
    if not text.strip():
        raise typer.BadParameter("is empty", param_hint="TEXT")
    return text


def json_line(proto: Message) -> str:
    """A message as JSON on one line, in the contract's own field names."""
    return MessageToJson(proto, preserving_proto_field_name=True, indent=None, ensure_ascii=False) + "\n"


def json_text(proto: Message) -> str:
    """A message as JSON to read, in the contract's own field names."""
    return MessageToJson(proto, preserving_proto_field_name=True, indent=2, ensure_ascii=False) + "\n"


def run(question: Question, connection: Connection, *, stream: bool | None, as_json: bool) -> None:
    """Ask and print. `stream` None: as it comes on a terminal, whole otherwise. Raises typer.Exit."""
    spec = question.spec()
    streamed = sys.stdout.isatty() if stream is None else stream
    work = _streamed if streamed else _whole
    perform(lambda backend: work(backend, spec, connection, as_json), connection, as_json=as_json)


async def _whole(backend: RemoteBackend, spec: chat_pb2.ChatSpec, connection: Connection, as_json: bool) -> int:
    began = time.perf_counter()
    completion = await backend.chat(spec, connection.call())
    seconds = time.perf_counter() - began
    if as_json:
        terminal.write(json_text(completion))
        return exits.OK
    printer = AnswerPrinter()
    printer.completion(completion)
    _close(printer, completion, seconds, None)
    return exits.OK


async def _streamed(backend: RemoteBackend, spec: chat_pb2.ChatSpec, connection: Connection, as_json: bool) -> int:
    printer, fold = AnswerPrinter(), Fold()
    began = time.perf_counter()
    first: float | None = None
    request = chat_pb2.StreamChatRequest(spec=spec)
    try:
        async with aclosing(backend.stream_chat(request, connection.call())) as events:
            async for event in events:
                if as_json:
                    terminal.write(json_line(event))
                    continue
                fold.add(event)
                if printer.event(event) and first is None:
                    first = time.perf_counter() - began
    finally:
        printer.new_line()
    if not as_json:
        _close(printer, fold.completion(), time.perf_counter() - began, first)
    return exits.OK


def _close(
    printer: AnswerPrinter,
    completion: chat_pb2.Completion,
    seconds: float,
    first: float | None,
) -> None:
    printer.new_line()
    printer.tool_calls(completion)
    printer.warnings(completion)
    printer.aside(summary(completion, seconds=seconds, first_token=first))
