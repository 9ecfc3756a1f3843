"""A real Triton Inference Server on this machine, without Docker: found, started, watched and stopped.

Depends on no other part of antiphon. The server comes from the PyPI package `nvidia-pytriton`.
"""

from antiphon.triton.installation import TritonUnsupportedError, unsupported_reason
from antiphon.triton.runtime import TritonOptions, TritonRuntime, TritonServer, TritonStartError
from antiphon.triton.serve import serve

__all__ = [
    "TritonOptions",
    "TritonRuntime",
    "TritonServer",
    "TritonStartError",
    "TritonUnsupportedError",
    "serve",
    "unsupported_reason",
]
