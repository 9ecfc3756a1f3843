"""The HTTP edges: vendors' own APIs in front of the same backend, so that their SDKs call any provider through us.

The other half of the wires: here requests are decoded and answers encoded. The policies are those of the gRPC door.
"""
