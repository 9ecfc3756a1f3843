"""Run by TensorZero's own interpreter: its embedded HTTP gateway, whose address goes into a file."""

import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import tensorzero  # type: ignore[import-not-found]  # it is in its own environment

if __name__ == "__main__":
    config, ready = sys.argv[1:]
    client = SimpleNamespace()
    tensorzero.patch_openai_client(client, config_file=config, async_setup=False)
    temporary = Path(f"{ready}.{os.getpid()}")
    temporary.write_text(str(client.base_url))
    temporary.replace(ready)
    threading.Event().wait()
