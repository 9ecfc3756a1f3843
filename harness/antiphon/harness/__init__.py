"""Record and replay under any httpx client: cassettes that keep chunks, pace and failures.

It is usable alone: `httpx.AsyncClient(transport=CassetteTransport("cassettes"))` replays a folder. It
knows no provider, and nothing here imports the services.
"""

from antiphon.harness.authoring import SseEvent, authored_json, authored_sse, write_cassette
from antiphon.harness.chunking import CHUNKINGS
from antiphon.harness.controls import Controls
from antiphon.harness.errors import (
    BadRecordingCall,
    CassetteUnreadable,
    HarnessError,
    RecordingEnded,
    RecordingMissing,
    RecordingRefused,
    RecordingUsedUp,
    RulesUnreadable,
    SecretFound,
    SessionIncomplete,
)
from antiphon.harness.interaction import Answer, Failure, Interaction, Provenance, RecordedRequest
from antiphon.harness.matching import Matcher
from antiphon.harness.modes import EXTENSION, Mode, Outcome, RecordingCall, mode_of, pace_of
from antiphon.harness.recorder import Recorder
from antiphon.harness.requestfilter import RequestFilter
from antiphon.harness.sessions import Missed, SessionReport
from antiphon.harness.store import CassetteStore, Recording
from antiphon.harness.transport import CassetteTransport

__all__ = [
    "CHUNKINGS",
    "EXTENSION",
    "Answer",
    "BadRecordingCall",
    "CassetteStore",
    "CassetteTransport",
    "CassetteUnreadable",
    "Controls",
    "Failure",
    "HarnessError",
    "Interaction",
    "Matcher",
    "Missed",
    "Mode",
    "Outcome",
    "Provenance",
    "RecordedRequest",
    "Recorder",
    "Recording",
    "RecordingCall",
    "RecordingEnded",
    "RecordingMissing",
    "RecordingRefused",
    "RecordingUsedUp",
    "RequestFilter",
    "RulesUnreadable",
    "SecretFound",
    "SessionIncomplete",
    "SessionReport",
    "SseEvent",
    "authored_json",
    "authored_sse",
    "mode_of",
    "pace_of",
    "write_cassette",
]
