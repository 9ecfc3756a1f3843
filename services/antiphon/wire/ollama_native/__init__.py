"""Ollama's own chat API, in both directions: requests, answers, streams of JSON lines and errors.

Embeddings and model lists of the same server are codecs of their own: `embeddings` and `models`.

The codec itself is in `codec`: quirks and errors are imported without it.
"""
