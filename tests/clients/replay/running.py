"""Runs a client's own tests, in its own language, as a process beside the server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

SECONDS = 100


async def ran(*command: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """The status and what was said."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1", "LANG": "C.UTF-8"} | dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode()
