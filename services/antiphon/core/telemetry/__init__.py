"""Traces, metrics and logs: what operators see of a call, without its content and without secrets.

`rpc` watches hops and `genai` provider calls; `setup` decides where it all goes; `logs` writes the log. Spans are
never made current: a context variable set inside an async generator leaks into whoever iterates it, so the trace
travels in `Call.trace` instead.
"""
