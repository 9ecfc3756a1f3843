"""No system at all: the load goes straight to the stand-in provider. What it reaches bounds everybody."""

from __future__ import annotations

from bench import upstream
from bench.systems.base import Door, Running, Site, Target, http_target
from bench.traffic import Work


class Direct:
    """Direct calls."""

    name = "direct"
    doors: tuple[Door, ...] = ("http",)
    works = frozenset({"unary", "burst", "paced", "embeddings"})

    def lacking(self) -> str:
        """Nothing: the provider is always there."""
        return ""

    def version(self) -> str:
        """nginx's."""
        return f"nginx {upstream.version()}"

    def start(self, site: Site) -> Running:
        """The provider as it runs."""

        def aim(work: Work, door: Door) -> Target:
            return http_target(f"127.0.0.1:{site.upstream.ports[work.upstream]}", work, "bench", {})

        return Running(name=self.name, tree=site.upstream.tree, aim=aim)

    launch = start

    def installed_bytes(self) -> int:
        """Not measured."""
        return 0
