"""A process that records, for tests that kill it: `python -m tests.harness.recording_process URL FOLDER ...`.

Arguments: URL, folder, cassette, first and last number of the requests, and, where it is to die, the call in
which (`write`, `fsync`, `replace`) and how many such calls it survives.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx

from antiphon.harness import CassetteTransport, Mode, RecordingCall


def die_in(call: str, after: int) -> None:
    """Make the process kill itself, as hard as a power cut does, inside one call of the operating system."""
    real = getattr(os, call)
    left = [after]

    def deadly(*args: Any, **kwargs: Any) -> Any:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return real(*args, **kwargs)

    setattr(os, call, deadly)


async def record(url: str, folder: Path, cassette: str, numbers: range) -> None:
    """Record one request a number, saying each when it is stored."""
    transport = CassetteTransport(folder, default=RecordingCall(mode=Mode.RECORD, cassette=cassette))
    async with httpx.AsyncClient(transport=transport) as http:
        for number in numbers:
            await http.post(url, json={"n": number})
            print(number, flush=True)


if __name__ == "__main__":
    where, into, name, first, last, *deadly = sys.argv[1:]
    if deadly:
        die_in(deadly[0], int(deadly[1]))
    asyncio.run(record(where, Path(into), name, range(int(first), int(last))))
