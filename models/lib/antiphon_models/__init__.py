"""What the Python-backend models share: the text contract, sampling, stop strings, embeddings.

Kept apart from each `model.py` so that it has importable names, types and unit tests; a `model.py`
only joins it to Triton. Nothing here but `serving` imports Triton's `triton_python_backend_utils`.
"""
