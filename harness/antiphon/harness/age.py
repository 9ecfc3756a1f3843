"""How old a recording is, by what it says of itself.

Providers change, so recordings expire. The age comes from the recording's own provenance and never from the file's
times: a checkout, a copy or a rewrite makes a file young and its content no fresher.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from antiphon.harness.interaction import Interaction


def recorded_at(interaction: Interaction) -> datetime | None:
    """Return when an exchange was recorded or authored; None where it does not say so, or not readably.

    A date alone is its midnight, UTC; so is a time without a zone.
    """
    provenance = interaction.answer.provenance
    if provenance is None or provenance.recorded_at is None:
        return None
    try:
        moment = datetime.fromisoformat(provenance.recorded_at.strip())
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def expired(interaction: Interaction, *, older_than: timedelta, now: datetime, undated: bool = False) -> bool:
    """Whether a recording is older than that; one without a date is what `undated` says."""
    moment = recorded_at(interaction)
    return undated if moment is None else now - moment > older_than
