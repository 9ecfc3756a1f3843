"""The stand-in provider: Debian's nginx, one worker, answers that never change, and beside it a pacer in C.

Three ports, because a peer that routes by address cannot be told a path: `json` answers chats and embeddings whole,
`burst` answers chats with a stream in one piece, `paced` with the same stream a chunk a millisecond. nginx cannot do
the last: the timers of its echo module gave a chunk every 1.9 ms on 64 streams.
"""

from __future__ import annotations

import socket
import subprocess
import time
from dataclasses import dataclass
from typing import Final

from bench import traffic
from bench.places import WORK
from bench.processes import Command, StartError, Tree, start, tail

PACER: Final = WORK / "paced"
"""The compiled `paced.c`."""
_CONFIG: Final = """
master_process off;  # one process: nothing is left behind should it be killed
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 1d;
  client_max_body_size 64m;
  client_body_buffer_size 1m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  open_file_cache max=100 inactive=1d;
  open_file_cache_valid 1d;
  types {{ application/json json; text/event-stream sse; }}
{servers}
}}
"""
_SERVER: Final = """
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root {folder}/files;
    error_page 405 =200 $uri;  # how nginx is brought to answer a POST with a file
    location /health {{ return 200 'ok'; }}
    location = /v1/models {{ default_type application/json; return 200 '{models}'; }}
    location = /v1/embeddings {{ try_files /embedding.json =404; }}
    location = /v1/chat/completions {{ try_files /{file} =404; }}
    # Replacing nothing leaves out the content-length, so that a stream comes chunked as providers send it.
    location = /burst.sse {{ sub_filter_types *; sub_filter '{{nothing}}' ''; }}
  }}
"""
_MODELS: Final = '{"object":"list","data":[{"id":"bench","object":"model","created":1,"owned_by":"bench"}]}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The running provider."""

    tree: Tree
    ports: dict[str, int]

    def base(self, name: str) -> str:
        """The base URL of a door."""
        return f"http://127.0.0.1:{self.ports[name]}/v1"


def started(pinned: list[str]) -> Upstream:
    """Start nginx. Raises StartError."""
    folder = WORK / "nginx"
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    (files / "chat.json").write_bytes(traffic.answer_chat())
    (files / "embedding.json").write_bytes(traffic.answer_embedding())
    (files / "burst.sse").write_bytes(b"".join(traffic.answer_chunks()))
    ports = {name: free_port() for name in ("json", "burst", "paced")}
    servers = "".join(
        _SERVER.format(port=ports[name], folder=folder, models=_MODELS, file=file)
        for name, file in (("json", "chat.json"), ("burst", "burst.sse"))
    )
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, servers=servers))
    commands = (
        Command(name="nginx", words=["nginx", "-c", str(config), "-p", str(folder)], environment={}),
        Command(name="paced", words=[str(PACER), str(ports["paced"]), str(files / "burst.sse")], environment={}),
    )
    tree = Tree([start(command, pinned) for command in commands])
    try:
        wait_for_port(ports["json"], tree, commands[0])
        wait_for_port(ports["paced"], tree, commands[1])
    except BaseException:
        tree.stop()
        raise
    return Upstream(tree=tree, ports=ports)


def version() -> str:
    """nginx's own word."""
    said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True)
    return said.stderr.strip().rpartition("/")[2]


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, tree: Tree, command: Command, patience: float = 60.0) -> None:
    """Wait until something listens. Raises StartError with the end of the log."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if tree.ended():
            raise StartError(f"{command.name} ended; its log ends:\n{tail(command)}")
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise StartError(f"{command.name} took no connection within {patience:g} s; its log ends:\n{tail(command)}")
