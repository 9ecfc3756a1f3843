"""The providers' own endpoints on a port, answered by a recording transport.

An unmodified vendor SDK, in any language, replays or records where its base URL is changed from
`https://api.openai.com/v1` to `http://127.0.0.1:PORT/openai/v1`.
"""

from antiphon.harness.server.app import ReplayApp, Served
from antiphon.harness.server.listener import ReplayListener
from antiphon.harness.server.upstreams import KNOWN, Upstream, upstream_of, upstreams

__all__ = ["KNOWN", "ReplayApp", "ReplayListener", "Served", "Upstream", "upstream_of", "upstreams"]
