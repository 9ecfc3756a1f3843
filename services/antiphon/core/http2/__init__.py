"""A gRPC server over asyncio: HTTP/2 (RFC 9113) as far as gRPC needs it, and nothing of any provider or backend."""
