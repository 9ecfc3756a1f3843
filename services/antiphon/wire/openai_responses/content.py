"""Content of messages and of tool results: text, refusals, pictures, files."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence

from antiphon.core.errors import invalid
from antiphon.v1 import content_pb2
from antiphon.wire.fields import REQUEST, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject, dumps, loads
from antiphon.wire.openai_chat.logprobs import is_list, lift_token
from antiphon.wire.openai_responses.citations import lift_citation, lower_citation
from antiphon.wire.openai_responses.quirks import WIRE
from antiphon.wire.openai_responses.spelling import spell, spelled
from antiphon.wire.openai_responses.writer import Writer
from antiphon.wire.plain_text import as_text

Part = content_pb2.Part
MediaPart = content_pb2.MediaPart

OUTPUT, INPUT = "output_text", "input_text"
TEXTS = (OUTPUT, INPUT, "text")
KINDS = frozenset({"text", "refusal", "media", "search_result", "code_result", "file_result"})
"""Kinds of parts that stand in the content of a message; each other kind is an item of its own."""
ELEMENT = "content."
"""How the type of an opaque part begins that is an element of a content; the others are items."""
ABSENT = "no_content"
"""The content was an empty list; the part has no text."""
_ASSISTANT = "assistant"
LIST = "list"
"""The content was a list of one text, where a string would have said the same."""
_UNITS = {"m": 60, "h": 3600}
_BREAKPOINT = "prompt_cache_breakpoint"
_AUDIO = "input_audio"


class Untypable(Exception):  # noqa: N818 - it says what an element is, not that anything failed
    """An element that the typed fields cannot hold; it is kept whole instead."""


def lift_content(content: Json, place: Place, carrier: content_pb2.Message | Part, role: str) -> list[Part]:
    """The parts of a content that is a text or a list; which of them, is noted on `carrier`."""
    if isinstance(content, str):
        return [text_part(content)]
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        if place.direction == REQUEST:
            raise invalid(place.path, "must be a string or a list of objects")
        raise Untypable
    if not content:
        part = text_part("")
        spell(part, ABSENT, place.direction)
        return [part]
    parts = [lift_element(item, place.at(number), role) for number, item in enumerate(content)]
    if role == _ASSISTANT or (len(parts) == 1 and is_bare(parts[0])):
        spell(carrier, LIST, place.direction)
    return parts


def lower_content(
    parts: Sequence[Part], carrier: content_pb2.Message | Part | None, writer: Writer, path: str, role: str
) -> Json:
    """The content as a text where it is one plain text that was not read as a list; as a list otherwise."""
    if not (carrier and spelled(carrier, LIST, writer.direction)):
        if len(parts) == 1 and is_bare(parts[0]):
            return parts[0].text.text
        if role == _ASSISTANT and not any(spelled(part, ABSENT, writer.direction) for part in parts):
            texts = [as_text(part) for part in parts]  # the list is for messages that have an identifier
            if None not in texts:
                return "".join(filter(None, texts))
    return lower_list(parts, writer, path, role)


def lower_list(parts: Iterable[Part], writer: Writer, path: str, role: str) -> list[Json]:
    """The content as a list."""
    elements = (lower_element(part, writer, f"{path}[{number}]", role) for number, part in enumerate(parts))
    return [element for element in elements if element is not None]


def lift_element(read: JsonObject, place: Place, role: str) -> Part:
    """One element of a content list. What has no type of its own is kept whole as Opaque."""
    part, kind = Part(), read.get("type")
    try:
        _LIFTS.get(kind if isinstance(kind, str) else "", _lift_unknown)(read, part, place)
    except Untypable:
        return opaque(read, ELEMENT)
    lift_breakpoint(read, part)
    writer = Writer(direction=place.direction)
    writer.keep_item(part, _lowered(part, writer, "", role) or {}, read)
    return part


def lower_element(part: Part, writer: Writer, path: str, role: str) -> Json:
    """One element of a content list; None, and noted, where the wire has none for the part."""
    if spelled(part, ABSENT, writer.direction) and not part.text.text:
        return None
    if part.HasField("opaque"):
        if part.opaque.wire == WIRE:
            return loads(part.opaque.data)
        writer.unsupported(path, f"'{part.opaque.type}' belongs to {part.opaque.wire}; leave it out")
        return None
    lowered = _lowered(part, writer, path, role)
    return None if lowered is None else writer.restore(part, lowered)


def is_bare(part: Part) -> bool:
    """Whether a part is nothing but text, so that a string says it all."""
    return (
        part.WhichOneof("kind") == "text"
        and not part.text.citations
        and not part.text.logprobs
        and not part.HasField("cache_breakpoint")
        and not part.HasField("form")
        and not part.provider_data
    )


def text_part(text: str) -> Part:
    """A part of nothing but text."""
    part = Part()
    part.text.SetInParent()
    part.text.text = whole_text(text)
    return part


def opaque(read: JsonObject, prefix: str = "") -> Part:
    """A part that holds an object whole; `prefix` tells an element of a content from an item."""
    kind = read.get("type")
    held = content_pb2.Opaque(wire=WIRE, media_type="application/json", data=dumps(read))
    held.type = prefix + (whole_text(kind) if isinstance(kind, str) else "")
    return Part(opaque=held)


def read_address(url: str, media: MediaPart) -> None:
    """Read a data URL or another address into `media`."""
    head, comma, body = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        try:
            media.data = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            media.url = whole_text(url)
        else:
            media.media_type = whole_text(head[5:-7])
    else:
        media.url = whole_text(url)


def address(media: MediaPart, fallback: str) -> str:
    """The content of a medium as a data URL, or its address."""
    if media.WhichOneof("source") == "url":
        return media.url
    return f"data:{media.media_type or fallback};base64,{base64.b64encode(media.data).decode()}"


def lift_breakpoint(read: JsonObject, part: Part) -> None:
    """Read `prompt_cache_breakpoint`."""
    mark = read.get(_BREAKPOINT)
    if isinstance(mark, dict) and mark.get("mode") == "explicit":
        part.cache_breakpoint.SetInParent()
        if (length := seconds(mark.get("ttl"))) is not None:
            part.cache_breakpoint.ttl.seconds = length


def lower_breakpoint(part: Part, lowered: JsonObject, writer: Writer, path: str) -> None:
    """Write `prompt_cache_breakpoint`."""
    if not part.HasField("cache_breakpoint"):
        return
    if _BREAKPOINT in writer.quirks.refuses:
        writer.warn("NOT_SENT", f"{path}.cache_breakpoint", "this provider takes no breakpoints; it caches by itself")
        return
    mark = {"mode": "explicit"}
    if part.cache_breakpoint.HasField("ttl"):
        mark["ttl"] = ttl_word(part.cache_breakpoint.ttl.seconds)
    lowered[_BREAKPOINT] = mark


def lower_tokens(tokens: Iterable[content_pb2.TokenLogprob]) -> list[JsonObject]:
    """Log probabilities; a token without one says nothing here."""
    return [
        {
            "token": token.token,
            "bytes": list(token.bytes if token.HasField("bytes") else token.token.encode()),
            "logprob": token.logprob,
            **({"token_id": token.token_id} if token.HasField("token_id") else {}),
            "top_logprobs": lower_tokens(token.top),
        }
        for token in tokens
        if token.HasField("logprob")
    ]


def seconds(ttl: Json) -> int | None:
    """Seconds of a word such as "30m"; None where it is no such word."""
    if not isinstance(ttl, str) or not ttl[:-1].isdecimal() or ttl[-1] not in _UNITS or not ttl.isascii():
        return None
    return int(ttl[:-1]) * _UNITS[ttl[-1]]


def ttl_word(length: int) -> str:
    """The shortest of the provider's two times that is not shorter, as far as there is one."""
    return "30m" if length <= 30 * 60 else "12h"


def _lift_unknown(read: JsonObject, part: Part, place: Place) -> None:
    raise Untypable


def _lift_text(read: JsonObject, part: Part, place: Place) -> None:
    if not isinstance(read.get("text"), str):
        place.wrong("text", "must be a string")
        raise Untypable
    part.text.SetInParent()
    part.text.text = whole_text(read["text"])
    for citation in objects(read.get("annotations")):
        part.text.citations.append(lift_citation(citation, place))
    tokens = read.get("logprobs")
    if tokens is not None and is_list(tokens):
        part.text.logprobs.extend(map(lift_token, tokens))


def _lift_refusal(read: JsonObject, part: Part, place: Place) -> None:
    if not isinstance(read.get("refusal"), str):
        place.wrong("refusal", "must be a string")
        raise Untypable
    part.refusal = whole_text(read["refusal"])


def _lift_image(read: JsonObject, part: Part, place: Place) -> None:
    media = part.media
    media.modality = content_pb2.MODALITY_IMAGE
    given = read.get("image_url")
    url = given.get("url") if isinstance(given, dict) else given  # some clients write chat's object
    detail = given.get("detail") if isinstance(given, dict) else read.get("detail")
    if isinstance(url, str):
        read_address(url, media)
    elif isinstance(read.get("file_id"), str):
        media.file_id = whole_text(read["file_id"])
    else:
        raise Untypable
    if isinstance(detail, str):
        media.detail = whole_text(detail)


def _lift_file(read: JsonObject, part: Part, place: Place) -> None:
    media = part.media
    media.modality = content_pb2.MODALITY_DOCUMENT
    for key in ("file_data", "file_url", "file_id"):
        value = read.get(key)
        if not isinstance(value, str) or media.WhichOneof("source") is not None:
            continue
        if key == "file_data":
            read_address(value, media)
            if media.WhichOneof("source") == "url":
                media.ClearField("url")
        elif key == "file_url":
            media.url = whole_text(value)
        else:
            media.file_id = whole_text(value)
    if media.WhichOneof("source") is None:
        raise Untypable
    for key in ("filename", "detail"):
        if isinstance(read.get(key), str):
            setattr(media, key, whole_text(read[key]))


def _lift_audio(read: JsonObject, part: Part, place: Place) -> None:
    audio = object_at(read, "input_audio")
    try:
        part.media.data = base64.b64decode(audio.get("data", ""), validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise Untypable from error
    part.media.modality = content_pb2.MODALITY_AUDIO
    if isinstance(audio.get("format"), str):
        part.media.format = whole_text(audio["format"])
        part.media.media_type = f"audio/{part.media.format}"


_LIFTS: Mapping[str, Callable[[JsonObject, Part, Place], None]] = {
    **dict.fromkeys(TEXTS, _lift_text),
    "refusal": _lift_refusal,
    "input_image": _lift_image,
    "input_file": _lift_file,
    "input_audio": _lift_audio,
}


def _lowered(part: Part, writer: Writer, path: str, role: str) -> JsonObject | None:
    kind = part.WhichOneof("kind")
    lower = _LOWERS.get(kind or "")
    if lower is None:
        writer.unsupported(path, f"a {kind or 'part without a kind'} cannot stand in the content of a message")
        return None
    lowered = lower(part, writer, path, role)
    if lowered is not None:
        lower_breakpoint(part, lowered, writer, path)
    return lowered


def _lower_text(part: Part, writer: Writer, path: str, role: str) -> JsonObject:
    if role != "assistant":
        return {"type": INPUT, "text": part.text.text}
    annotations = [lower_citation(citation, writer) for citation in part.text.citations]
    lowered: JsonObject = {"type": OUTPUT, "text": part.text.text, "annotations": annotations}
    if part.text.logprobs or writer.direction != REQUEST:
        lowered["logprobs"] = lower_tokens(part.text.logprobs)
    return lowered


def _lower_refusal(part: Part, writer: Writer, path: str, role: str) -> JsonObject:
    return {"type": "refusal", "refusal": part.refusal}


def _lower_as_text(part: Part, writer: Writer, path: str, role: str) -> JsonObject:
    """What this wire has no element for, as the text that it is."""
    text = as_text(part) or ""
    return {"type": OUTPUT, "text": text, "annotations": []} if role == "assistant" else {"type": INPUT, "text": text}


def _lower_media(part: Part, writer: Writer, path: str, role: str) -> JsonObject | None:
    media, source = part.media, part.media.WhichOneof("source")
    if role == "assistant":
        writer.unsupported(path, "an assistant's message takes text alone; move the medium to a user's message")
        return None
    if media.for_container:
        writer.unsupported(path, "files for code go into the tool; give code_execution.file_ids")
        return None
    if source in (None, "parts"):
        writer.unsupported(path, "has no content; set data, url, file_id or inline_text")
        return None
    if source == "inline_text":
        return {"type": INPUT, "text": media.inline_text}
    if _is(media, content_pb2.MODALITY_AUDIO, "audio/"):
        if source != "data" or _AUDIO in writer.quirks.refuses:
            writer.unsupported(path, "sound is taken as data, and not by each provider; write down what it says")
            return None
        form = media.format or media.media_type.rpartition("/")[2]
        return {"type": "input_audio", "input_audio": {"data": base64.b64encode(media.data).decode(), "format": form}}
    if _is(media, content_pb2.MODALITY_VIDEO, "video/"):
        writer.unsupported(path, "films are not taken; send pictures of them")
        return None
    is_image = _is(media, content_pb2.MODALITY_IMAGE, "image/") or (
        not media.media_type and media.modality == content_pb2.MODALITY_UNSPECIFIED and not media.filename
    )
    return _lower_image(media) if is_image else _lower_file(media)


def _lower_image(media: MediaPart) -> JsonObject:
    lowered: JsonObject = {"type": "input_image"}
    if media.WhichOneof("source") == "file_id":
        lowered["file_id"] = media.file_id
    else:
        lowered["image_url"] = address(media, "image/png")
    lowered["detail"] = media.detail or "auto"
    return lowered


def _lower_file(media: MediaPart) -> JsonObject:
    lowered: JsonObject = {"type": "input_file"}
    name = media.filename or media.title
    match media.WhichOneof("source"):
        case "file_id":
            lowered["file_id"] = media.file_id
        case "url":
            lowered["file_url"] = media.url
        case _:
            lowered["file_data"] = address(media, "application/pdf")
            name = name or "document.pdf"  # the wire wants one beside data
    if name:
        lowered["filename"] = name
    if media.detail:
        lowered["detail"] = media.detail
    return lowered


def _is(media: MediaPart, modality: content_pb2.Modality.ValueType, prefix: str) -> bool:
    return media.modality == modality or (
        media.modality == content_pb2.MODALITY_UNSPECIFIED and media.media_type.startswith(prefix)
    )


_LOWERS: Mapping[str, Callable[[Part, Writer, str, str], JsonObject | None]] = {
    "text": _lower_text,
    "refusal": _lower_refusal,
    "media": _lower_media,
    **dict.fromkeys(("search_result", "code_result", "file_result"), _lower_as_text),
}
