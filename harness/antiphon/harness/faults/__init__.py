"""Faults: what goes wrong between a client and a provider, over any recording or mock, on request.

A fault is asked for by a word (`429;retry-after=2`, `cut@event=3`), for a call, a session, or by a plan with chances
and a seed. Each is a pure function: from an answer to an answer, or from a request to one.
"""

from antiphon.harness.faults.catalogue import KINDS, STATUSES, Fault, Kind, fault_of
from antiphon.harness.faults.dialects import DIALECTS, dialect_of
from antiphon.harness.faults.engine import Faults, Injected
from antiphon.harness.faults.plan import FaultPlan, Rule, plan_of, read_plan
from antiphon.harness.faults.words import NONE, FaultNotApplicable

__all__ = [
    "DIALECTS",
    "KINDS",
    "NONE",
    "STATUSES",
    "Fault",
    "FaultNotApplicable",
    "FaultPlan",
    "Faults",
    "Injected",
    "Kind",
    "Rule",
    "dialect_of",
    "fault_of",
    "plan_of",
    "read_plan",
]
