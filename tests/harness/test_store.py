"""The folder: found by index, shared by processes, whole after a kill."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path
from types import FrameType

import httpx
import pytest

from antiphon.harness import (
    BadRecordingCall,
    CassetteStore,
    CassetteTransport,
    Mode,
    RecordedRequest,
    RecordingCall,
    RecordingRefused,
    authored_json,
    write_cassette,
)
from tests.harness.streaming_server import Reply, StreamingServer

WRITER = """
import asyncio, sys
import httpx
from antiphon.harness import CassetteTransport, RecordingCall

async def main(folder, url, name, count):
    transport = CassetteTransport(folder, default=RecordingCall(mode="record", cassette="shared/one"))
    async with httpx.AsyncClient(transport=transport) as http:
        for number in range(count):
            await http.post(url, json={"by": name, "number": number})
            print(number, flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
"""


async def writer(folder: Path, url: str, name: str, count: int) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        WRITER,
        str(folder),
        url,
        name,
        str(count),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )


async def test_two_processes_record_into_one_cassette_and_lose_nothing(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b'{"n":1}']))
    processes = [await writer(tmp_path, url, name, 20) for name in ("left", "right")]
    await asyncio.gather(*(process.communicate() for process in processes))
    assert [process.returncode for process in processes] == [0, 0]
    store = CassetteStore(tmp_path)
    store.load()
    bodies = [r.interaction.request.body.decode() for r in store]
    wanted = [f'{{"by":"{name}","number":{n}}}' for name in ("left", "right") for n in range(20)]
    assert sorted(bodies) == sorted(wanted)
    assert [b for b in bodies if "left" in b] == wanted[:20]


async def test_a_kill_while_recording_leaves_a_whole_cassette(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b'{"n":"' + b"x" * 100_000 + b'"}']))
    for round_ in range(2):
        process = await writer(tmp_path, url, f"round{round_}", 1000)
        assert process.stdout is not None
        for _ in range(3):
            assert await process.stdout.readline()
        await asyncio.sleep(0.013 * round_)
        process.kill()
        await process.communicate()
        store = CassetteStore(tmp_path)
        store.load()
        assert len(store) >= 3 * (round_ + 1)
    # The lock died with its holder.
    write_cassette(tmp_path, "shared/two", [])


async def test_record_on_miss_sees_what_another_process_recorded(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b'{"n":1}']))
    default = RecordingCall(mode=Mode.RECORD_ON_MISS, cassette="shared/one")
    async with (
        httpx.AsyncClient(transport=CassetteTransport(tmp_path, default=default)) as mine,
        httpx.AsyncClient(transport=CassetteTransport(tmp_path, default=default)) as other,
    ):
        await mine.post(url, json={"q": 0})
        await other.post(url, json={"q": 1})
        answer = await mine.post(url, json={"q": 1})
    assert answer.extensions["antiphon"]["replayed"] is True
    assert len(server.requests) == 2


async def test_many_recordings_into_one_cassette_at_once_are_all_kept(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b'{"n":1}']))
    transport = CassetteTransport(tmp_path, default=RecordingCall(mode=Mode.RECORD, cassette="a/b"))
    async with httpx.AsyncClient(transport=transport) as http:
        await asyncio.gather(*(http.post(url, json={"q": n}) for n in range(30)))
    store = CassetteStore(tmp_path)
    store.load()
    assert len(store) == 30


async def test_a_folder_that_cannot_be_written_fails_the_recording(server: StreamingServer, tmp_path: Path) -> None:
    url = server.serve("/v1/chat", Reply(steps=[b"{}"]))
    (tmp_path / "file").write_text("not a folder")
    transport = CassetteTransport(tmp_path, default=RecordingCall(mode=Mode.RECORD, cassette="file/x"))
    async with httpx.AsyncClient(transport=transport) as http:
        with pytest.raises(RecordingRefused, match="check that the cassette folder is writable"):
            await http.post(url, json={})


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(outside)
    with pytest.raises(BadRecordingCall, match="outside"):
        write_cassette(root, "link/x", [])
    assert list(outside.iterdir()) == []


def test_cassettes_can_be_read_by_others_and_no_temporary_file_stays(tmp_path: Path) -> None:
    file = write_cassette(tmp_path, "a/b", [])
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in file.parent.iterdir()] == ["b.yaml"]


@pytest.mark.parametrize("distinct", [True, False])
@pytest.mark.parametrize("named", [None, "c0"])
def test_a_lookup_takes_the_same_steps_in_a_small_folder_and_in_a_large_one(
    tmp_path: Path, distinct: bool, named: str | None
) -> None:
    def steps(count: int) -> int:
        root = tmp_path / str(count)
        exchanges = [
            authored_json(url="https://h.test/v1", request={"model": "m", "n": n * distinct}, response={})
            for n in range(count)
        ]
        for start in range(0, count, 50):
            write_cassette(root, f"a/c{start}", exchanges[start : start + 50])
        store = CassetteStore(root, index_in=None)
        store.load()
        assert len(store) == count
        request = RecordedRequest(method="POST", url="https://h.test/v1", body=b'{"n":0,"model":"m"}')
        store.take(request, session="first", cassette_name=named, repeat=True)
        counted = 0

        def count_it(frame: FrameType, event: str, argument: object) -> None:
            nonlocal counted
            counted += event in ("call", "c_call")

        sys.setprofile(count_it)
        try:
            found = store.take(request, session="second", cassette_name=named, repeat=True)
        finally:
            sys.setprofile(None)
        assert found is not None
        return counted

    small, large = steps(50), steps(500)
    assert large <= small + 20  # bisection takes a few more for each doubling; a scan would take 450 more
