"""The one table of the names of spans, metrics and attributes, so that no two parts spell one thing differently.

`rpc.*` and `gen_ai.*` are OpenTelemetry's semantic conventions (a test compares them with the installed package; the
GenAI ones are moving to a repository of their own, with the same names). `antiphon.*` is what they have no word for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# RPC spans and metrics.
RPC_SYSTEM: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS: Final = "rpc.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
RPC_SERVER_DURATION: Final = "rpc.server.call.duration"
RPC_CLIENT_DURATION: Final = "rpc.client.call.duration"

# HTTP spans and metrics of the edges.
HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"
URL_SCHEME: Final = "url.scheme"
HTTP_SERVER_DURATION: Final = "http.server.request.duration"

# GenAI spans.
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - a kind of token of text

# GenAI metrics.
GENAI_DURATION: Final = "gen_ai.client.operation.duration"
GENAI_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
GENAI_TOKENS: Final = "gen_ai.client.token.usage"

# Ours.
CANCELLED: Final = "antiphon.cancelled"
"""true where the caller left before the end."""
REASON: Final = "antiphon.error.reason"
"""The reason of a ServiceError, finer than the status code."""
CALLER: Final = "antiphon.caller"
"""Name of the caller's key."""
USAGE_PARTIAL: Final = "antiphon.usage.partial"
"""true where the answer was cut and the tokens are those known by then."""
COST: Final = "antiphon.cost.usd"
"""What the provider says the call cost: US dollars as decimal text; absent where it does not say."""
REPLAYED: Final = "antiphon.replayed"
"""true where the answer came from a recording: no provider was called, and nothing was paid."""
SYNTHETIC: Final = "antiphon.synthetic"
"""The fault or mock that made or changed the answer; absent where the answer is a provider's own, live or recorded."""
CASSETTE: Final = "antiphon.cassette"
"""The recording that answered."""
UPSTREAM_REQUEST_ID: Final = "antiphon.upstream.request_id"
"""The provider's own number of the request, for its support."""

PROVIDERS: Final[Mapping[str, str]] = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""The conventions' word for a provider of ours, where it differs from our own."""

# Dimensions of the metrics, in the order in which their values are given.
RPC_DIMENSIONS: Final = (RPC_SYSTEM, RPC_METHOD, RPC_STATUS, ERROR_TYPE, SERVER_ADDRESS, SERVER_PORT)
HTTP_DIMENSIONS: Final = (HTTP_METHOD, HTTP_ROUTE, URL_SCHEME, HTTP_STATUS, ERROR_TYPE)
GENAI_DIMENSIONS: Final = (
    *(OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL),
    *(REPLAYED, SYNTHETIC, ERROR_TYPE, CANCELLED),
)
TOKEN_DIMENSIONS: Final = (*GENAI_DIMENSIONS, USAGE_PARTIAL, TOKEN_TYPE)

# Histogram bounds. Those of the conventions end at 10 s (rpc) and 82 s (gen_ai); long answers take minutes, so all go
# on to 640 s.
RPC_SECONDS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 320.0, 640.0),
)
GENAI_SECONDS: Final = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    *(160.0, 320.0, 640.0),
)
FIRST_CHUNK_SECONDS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 320.0, 640.0),
)
TOKENS: Final = tuple(float(4**power) for power in range(14))
