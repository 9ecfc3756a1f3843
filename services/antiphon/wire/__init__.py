"""Wire formats: pure codecs between provider JSON and the contract, each in both directions.

Nothing here does I/O: no client, no clock, no environment.
"""
