"""Reads the text of another recorder's cassette: YAML or JSON, gzipped or plain, bounded, plain data only."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import zlib
from typing import Any, Final

import yaml

from antiphon.harness import yamltext
from antiphon.harness.errors import CassetteUnreadable

_GZIP: Final = b"\x1f\x8b"


def load(content: bytes, *, file: str) -> Any:
    """Return the data of a file; raises CassetteUnreadable."""
    if content[:2] == _GZIP:  # langchain's persister packs its files
        decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            content = decoder.decompress(content, yamltext.MAX_BYTES + 1)
        except zlib.error as error:
            raise CassetteUnreadable(file, f"it isn't whole gzip ({error})") from error
    if len(content) > yamltext.MAX_BYTES:
        raise CassetteUnreadable(file, f"it has more than {yamltext.MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CassetteUnreadable(file, "it isn't UTF-8 text") from error
    if text.lstrip()[:1] == "{":  # YAML would read JSON's escaped pairs of surrogates as two characters
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(text)
    yamltext.check(text, file)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is the safe loader
    except yaml.YAMLError as error:
        raise yamltext.unreadable(file, error) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise CassetteUnreadable(file, f"a value can't be read ({yamltext.brief(error)})") from error


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is optional
    """The safe loader, which also reads Ruby's `!binary` and leaves dates as the text that they are."""


def _binary(loader: Any, node: yaml.Node) -> bytes:
    try:
        return base64.b64decode(loader.construct_scalar(node))
    except (binascii.Error, ValueError) as error:
        raise yaml.constructor.ConstructorError(
            None, None, f"binary that isn't base64: {error}", node.start_mark
        ) from error


_Loader.add_constructor("!binary", _binary)
_Loader.add_constructor("tag:yaml.org,2002:binary", _binary)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))
