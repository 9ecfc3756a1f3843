"""The gRPC server over frames written by hand, and under the real clients."""
