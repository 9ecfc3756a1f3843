"""Values as Triton tensors, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from antiphon.core.errors import Reason, ServiceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tritonclient.grpc import InferInput, InferResult


def texts(name: str, values: Sequence[str]) -> InferInput:
    """A BYTES tensor of one dimension."""
    import numpy as np
    from tritonclient.grpc import InferInput

    tensor = InferInput(name, [len(values)], "BYTES")
    tensor.set_data_from_numpy(np.array([value.encode() for value in values], dtype=np.object_))
    return tensor


def flag(name: str, *, value: bool) -> InferInput:
    """A BOOL tensor of one element."""
    import numpy as np
    from tritonclient.grpc import InferInput

    tensor = InferInput(name, [1], "BOOL")
    tensor.set_data_from_numpy(np.array([value]))
    return tensor


def joined_text(result: InferResult, name: str) -> str:
    """The text of a BYTES output; empty where the answer has none of that name."""
    array = result.as_numpy(name)
    return "" if array is None else b"".join(bytes(item) for item in array.reshape(-1)).decode("utf-8", "replace")


def total(result: InferResult, name: str) -> int:
    """The sum of a whole-number output; 0 where the answer has none of that name."""
    array = result.as_numpy(name)
    return 0 if array is None else int(array.sum())


def matrix(result: InferResult, name: str, rows: int) -> NDArray[np.float32]:
    """A FP32 output with `rows` rows. Raises ServiceError MALFORMED_RESPONSE for any other shape."""
    import numpy as np

    array: NDArray[Any] | None = result.as_numpy(name)
    if array is None or array.ndim != 2 or array.shape[0] != rows:
        shape = "nothing" if array is None else f"the shape {array.shape}"
        raise ServiceError(
            Reason.MALFORMED_RESPONSE,
            f"the model answered with {shape} for {name!r} and {rows} inputs; see models/README.md",
        )
    return array.astype(np.float32, copy=False)


def normalized(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows at length 1; a row of zeros stays one."""
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = rows / np.where(lengths > 0, lengths, 1)
    return scaled
