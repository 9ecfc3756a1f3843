"""Errors of the harness as errors of the system, so that a command tells them as it tells all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from antiphon.cli.failure import reported
from antiphon.core.errors import Reason, ServiceError
from antiphon.harness.errors import HarnessError
from antiphon.harness.library import NoSuchRecording
from antiphon.harness.scenarios import ScenarioError

REASONS: Final[Mapping[str, Reason]] = {
    "BAD_RECORDING_CALL": Reason.INVALID_REQUEST,
    "CASSETTE_UNREADABLE": Reason.CASSETTE_UNREADABLE,
    "RECORDING_MISSING": Reason.RECORDING_MISSING,
    "RECORDING_REFUSED": Reason.SECRET_IN_RECORDING,
    "SECRET_FOUND": Reason.SECRET_IN_RECORDING,
}


@contextmanager
def told(*, as_json: bool = False) -> Iterator[None]:
    """Turn whatever ends a command into its exit status, the harness's errors too."""
    with reported(as_json=as_json):
        try:
            yield
        except HarnessError as error:
            raise ServiceError(REASONS.get(error.reason, Reason.INTERNAL), str(error)) from error
        except NoSuchRecording as error:
            raise ServiceError(Reason.RESOURCE_NOT_FOUND, str(error)) from error
        except ScenarioError as error:
            raise ServiceError(Reason.INVALID_REQUEST, str(error)) from error
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise ServiceError(Reason.INVALID_REQUEST, f"{where}{error.strerror or error}") from error


def must_be_there(root: Path) -> None:
    """Raise ServiceError RESOURCE_NOT_FOUND where `root` is no folder."""
    if not root.is_dir():
        raise ServiceError(
            Reason.RESOURCE_NOT_FOUND,
            f"there is no folder {root}; name the folder of recordings with --cassettes or ANTIPHON_CASSETTES",
        )
