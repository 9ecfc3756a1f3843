"""Every row by name, in the order of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.rows.base import Row
from bench.rows.first_chunk import FirstChunk
from bench.rows.generators import Generators
from bench.rows.histories import Histories
from bench.rows.loads import HalfLoad, Load
from bench.rows.whole import Memory, Size, StartUp
from bench.systems.table import ALL, PRODUCTS
from bench.traffic import BURST, EMBED, PACED, UNARY

_VARIANTS: Final = ("antiphon", "antiphon-untraced", "antiphon-quiet")
_REPLAYS: Final = ("antiphon", "antiphon-replay")
_WORKERS: Final = ("antiphon", "antiphon-workers")
_STREAM: Final = "chunks/s"
_CALL: Final = "calls/s"

ROWS: Final[Mapping[str, Row]] = {
    row.name: row
    for row in (
        StartUp(name="start", about="Start to first answer", systems=PRODUCTS),
        Memory(name="memory", about="Memory", systems=("antiphon", "antiphon-apart", *PRODUCTS[1:])),
        Size(name="size", about="Installed size", systems=PRODUCTS),
        Load(name="unary", about="Unary chat", work=UNARY, unit=_CALL, systems=ALL),
        Load(name="burst", about="Streamed chat, all chunks at once", work=BURST, unit=_STREAM, systems=ALL),
        Load(
            name="paced",
            about="Streamed chat, a chunk a millisecond",
            work=PACED,
            unit=_STREAM,
            systems=ALL,
            callers=(64,),
        ),
        Load(name="embeddings", about="Embeddings, 1536 floats", work=EMBED, unit=_CALL, systems=ALL),
        FirstChunk(name="first-chunk", about="Time to the first chunk", systems=ALL),
        Load(name="replay", about="Replay beside live", work=UNARY, unit=_CALL, systems=_REPLAYS, callers=(32,)),
        Load(
            name="replay-stream",
            about="Replay beside live, streams",
            work=BURST,
            unit=_STREAM,
            systems=_REPLAYS,
            callers=(32,),
        ),
        Histories(
            name="histories",
            about="Long histories and large bodies",
            systems=("antiphon", "antiphon-apart", "bare", "litellm", "portkey"),
        ),
        Load(
            name="telemetry",
            about="Telemetry and logs on and off",
            work=UNARY,
            unit=_CALL,
            systems=_VARIANTS,
            callers=(32,),
        ),
        Load(
            name="telemetry-stream",
            about="Telemetry and logs on and off, streams",
            work=BURST,
            unit=_STREAM,
            systems=_VARIANTS,
            callers=(32,),
        ),
        Load(
            name="workers",
            about="One worker on its core beside two on both cores, one of which the load has too",
            work=UNARY,
            unit=_CALL,
            systems=_WORKERS,
            callers=(32,),
        ),
        Load(
            name="workers-stream",
            about="One worker on its core beside two on both cores, one of which the load has too, streams",
            work=BURST,
            unit=_STREAM,
            systems=_WORKERS,
            callers=(32,),
        ),
        HalfLoad(name="latency", about="Latency of unary chats at half load", work=UNARY, systems=ALL),
        Generators(name="generators", about="h2load beside wrk", systems=("direct", "bare", "antiphon", "portkey")),
    )
}
