"""What clients are told whose calls are refused before a handler sees them."""

from __future__ import annotations

from typing import Final

import grpc

from antiphon.core.http2.heads import Refusal

NOT_FOUND: Final = Refusal(code=grpc.StatusCode.UNIMPLEMENTED, details="Method not found!")
NO_MESSAGE: Final = Refusal(code=grpc.StatusCode.INTERNAL, details="the call came without a request message")
MANY: Final = Refusal(code=grpc.StatusCode.INTERNAL, details="the call came with more than one request message")
CUT: Final = Refusal(code=grpc.StatusCode.INTERNAL, details="the request ended within a message")
FULL: Final = Refusal(code=grpc.StatusCode.RESOURCE_EXHAUSTED, details="too many large requests at once; send fewer")
ENDS: Final = Refusal(code=grpc.StatusCode.UNAVAILABLE, details="the server ends")
_PLAIN: Final = b"this is the gRPC port: it speaks HTTP/2 with prior knowledge, and gRPC only\n"
WRONG_DOOR: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_PLAIN), _PLAIN)
)
