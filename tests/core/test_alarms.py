"""Alarms: as precise as timers, and no timer for those who come after."""

from __future__ import annotations

import asyncio

import pytest

from antiphon.core.alarms import Alarms


async def test_an_alarm_rings_once_at_its_time() -> None:
    loop = asyncio.get_running_loop()
    rung: list[float] = []
    alarm = Alarms().take(loop)
    began = loop.time()
    alarm.set(began + 0.05, lambda: rung.append(loop.time()))
    await asyncio.sleep(0.15)
    assert len(rung) == 1
    assert rung[0] >= began + 0.05


@pytest.mark.parametrize(("first", "second"), [(0.02, 0.1), (5.0, 0.1)])
async def test_what_is_set_anew_rings_at_the_new_time_alone(first: float, second: float) -> None:
    loop = asyncio.get_running_loop()
    rung: list[str] = []
    alarm = Alarms().take(loop)
    alarm.set(loop.time() + first, lambda: rung.append("first"))
    alarm.set(loop.time() + second, lambda: rung.append("second"))
    await asyncio.sleep(second / 2)
    assert rung == []
    await asyncio.sleep(second)
    assert rung == ["second"]


async def test_an_alarm_that_was_given_back_is_silent_and_serves_the_next() -> None:
    loop = asyncio.get_running_loop()
    rung: list[str] = []
    alarms = Alarms()
    alarm = alarms.take(loop)
    alarm.set(loop.time() + 0.02, lambda: rung.append("first"))
    alarms.give(alarm)
    assert alarms.take(loop) is alarm
    alarm.set(loop.time() + 0.06, lambda: rung.append("second"))
    await asyncio.sleep(0.15)
    assert rung == ["second"]


def test_alarms_of_a_loop_that_is_gone_are_not_handed_on() -> None:
    alarms = Alarms()

    async def take_and_give() -> object:
        alarm = alarms.take(asyncio.get_running_loop())
        alarms.give(alarm)
        return alarm

    assert asyncio.run(take_and_give()) is not asyncio.run(take_and_give())
