"""Where a model's weights are: the environment first, then the model's configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def model_folder(*, model: str, parameter: str, variable: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of a model's weights.

    Raises:
        ValueError: not set, or no such folder; Triton shows it as the reason why the model didn't load.
    """
    chosen = environment.get(variable) or parameter
    if not chosen:
        raise ValueError(
            f"model '{model}' has no weights: set the environment variable {variable}, or the parameter "
            "'model_path' in its config.pbtxt, to the folder of a model"
        )
    folder = Path(chosen)
    if not folder.is_dir():
        raise ValueError(f"model '{model}': {folder} is not a folder (from {variable} or 'model_path')")
    return folder
