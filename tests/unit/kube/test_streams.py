import asyncio
import json

import aiohttp
import pytest

from strongroom.kube import streams
from strongroom.kube.errors import Gone, Unavailable


def stream_of(*chunks):
    """A response's body as it comes from the network, in these pieces."""
    reader = aiohttp.StreamReader(_Protocol(), 2**16, loop=asyncio.get_running_loop())
    for chunk in chunks:
        reader.feed_data(chunk)
    reader.feed_eof()
    return reader


class _Protocol(aiohttp.base_protocol.BaseProtocol):
    def __init__(self):
        super().__init__(asyncio.get_running_loop())


def line(type_, **content):
    return json.dumps({"type": type_, "object": content}).encode() + b"\n"


async def events(*chunks):
    return [event async for event in streams.events(stream_of(*chunks))]


async def test_events_are_found_wherever_the_network_cuts():
    whole = line("ADDED", a=1) + b"\n" + line("MODIFIED", a="é" * 50)
    for cut in range(1, len(whole)):
        assert await events(whole[:cut], whole[cut:]) == [("ADDED", {"a": 1}), ("MODIFIED", {"a": "é" * 50})]


async def test_an_error_in_the_stream_is_raised_by_its_code():
    with pytest.raises(Gone, match="too old"):
        await events(line("ADDED"), line("ERROR", code=410, reason="Expired", message="too old"))


@pytest.mark.parametrize("noise", [b"<html>\n", b"[]\n", b'{"type": "ADDED"}\n', b"\xff\n"])
async def test_what_is_no_event_ends_the_watch(noise):
    with pytest.raises(Unavailable, match="no event"):
        await events(noise)


async def test_a_line_without_end_is_not_gathered_for_ever(monkeypatch):
    monkeypatch.setattr(streams, "LONGEST_EVENT", 100)
    with pytest.raises(Unavailable, match="longer than"):
        await events(b"x" * 101)


async def test_a_line_cut_off_by_the_end_is_no_event():
    assert await events(line("ADDED")[:-5]) == []
