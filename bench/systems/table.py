"""Every system by name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.systems.antiphon import Antiphon
from bench.systems.asgi import RawAsgi
from bench.systems.bare import Bare
from bench.systems.base import System
from bench.systems.direct import Direct
from bench.systems.litellm import LiteLLM
from bench.systems.portkey import Portkey
from bench.systems.routers import SMG, VllmRouter
from bench.systems.tensorzero import TensorZero

SYSTEMS: Final[dict[str, System]] = {
    system.name: system
    for system in (
        Antiphon(),
        Antiphon(name="antiphon-apart", apart=True),
        Antiphon(name="antiphon-untraced", traced=False),
        Antiphon(name="antiphon-quiet", traced=False, more={"ANTIPHON_LOG_LEVEL": "warning"}),
        Antiphon(
            name="antiphon-replay",
            works=frozenset({"unary", "burst", "embeddings"}),
            mode="replay",
            more={"ANTIPHON_PACE": "0"},
        ),
        Antiphon(
            name="antiphon-workers",
            works=frozenset({"unary", "burst"}),
            pinned=False,
            more={"ANTIPHON_WORKERS": "2"},
        ),
        Bare(),
        Bare(name="bare-unbatched", doors=("grpc",), works=frozenset({"burst", "paced"}), unbatched=True),
        Bare(name="bare-apart", doors=("grpc",), apart=True),
        RawAsgi(),
        Direct(),
        LiteLLM(),
        Portkey(),
        TensorZero(),
        SMG(),
        VllmRouter(),
    )
}

BESIDE: Final = "antiphon-beside"
ALL: Final = (
    "direct",
    "antiphon",
    BESIDE,
    "antiphon-apart",
    "bare",
    "bare-unbatched",
    "bare-apart",
    "raw-asgi",
    "litellm",
    "portkey",
    "tensorzero",
    "smg",
    "vllm-router",
)
"""Those that are measured side by side."""
PRODUCTS: Final = ("antiphon", BESIDE, "litellm", "portkey", "tensorzero", "smg", "vllm-router")
"""Those that somebody would install."""


def put_beside(root: Path) -> None:
    """Measure another checkout of antiphon too."""
    SYSTEMS[BESIDE] = Antiphon(name=BESIDE, root=root)
