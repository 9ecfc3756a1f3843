"""Where the `antiphon` command begins: a server at once, everything else by way of `app`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command; ends the process with a status of `exits`."""
    # Whoever forks here does so to start another program. grpc's own care for forks closes what one of its threads is
    # polling now and then, and that ends the process.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    if sys.argv[1:2] == ["serve"]:
        from antiphon.cli import serving

        asked = serving.plain(sys.argv[2:], os.environ)
        if asked is not None:
            serving.run(asked)
            return
    from antiphon.cli.app import main as command

    command()
