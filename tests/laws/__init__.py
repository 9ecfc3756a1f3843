"""The laws of the wire codecs, run over recordings of real traffic.

L1 a request survives decoding and encoding; L2 an answer or error does; L3 a stream folds to the answer that it
tells; L4 it does so however its bytes are cut; L5 at least 97 % of the values land in typed fields.

    python -m tests.laws FOLDER [--json]
"""
