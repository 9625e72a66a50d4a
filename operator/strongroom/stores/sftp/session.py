"""One connection: ssh with the server's SFTP behind it, requests on their way, and answers that may come in any order."""

import os
import select
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from strongroom.api.errors import StrongroomError
from strongroom.programs.children import Child
from strongroom.stores.limits.pulses import Pulse
from strongroom.stores.sftp import wire
from strongroom.stores.ssh.access import ALIAS, Access
from strongroom.stores.ssh.failures import explain
from strongroom.stores.store import Chunk

_LONGEST_PACKET = 1 << 20
_READ_BYTES = 1 << 20
_PARTING_SECONDS = 5
_SAFE_BYTES = 32 << 10
"""Of data in one request: what every server takes."""
_MOST_BYTES = 255 << 10


class LostError(StrongroomError):
    """The connection is no more; nobody knows what became of requests that were not answered."""


class StatusError(Exception):
    """The server refused a request: its code, and its words."""

    def __init__(self, code: int, words: str) -> None:
        """Keep both."""
        super().__init__(f"{words or 'no words'} (code {code})")
        self.code = code
        self.words = words


class Session:
    """For one thread at a time. Every wait ends after `patience.silence_seconds` without a byte: LostError."""

    def __init__(self, access: Access, pulse: Pulse) -> None:
        """Connect and greet. Raises what the way to the server raises, and LostError with the reason that ssh tells."""
        self._access = access
        self._pulse = pulse
        argv: list[str | Path] = [access.program("ssh"), "-F", access.config, "-s", ALIAS, "sftp"]
        self._child = Child(argv, access.environment, stdin=True)
        self._stdin, self._stdout = self._child.descriptors
        for descriptor in (self._stdin, self._stdout):
            os.set_blocking(descriptor, False)
        self._inbox = bytearray()
        self._answers: dict[int, bytes] = {}
        self._greeting: bytes | None = None
        self._last = 0
        self._abandoned: set[int] = set()
        self.alive = True
        self.read_bytes = self.write_bytes = _SAFE_BYTES
        self.extensions: frozenset[bytes] = frozenset()
        try:
            self._greet()
        except BaseException:
            self.close()
            raise

    def submit(self, kind: int, *fields: Chunk) -> int:
        """Send a request; the number that its answer will bear."""
        self._last = (self._last + 1) & 0xFFFFFFFF
        size = 5 + sum(len(field) for field in fields)
        self._send(struct.pack(">IBI", size, kind, self._last), *fields)
        return self._last

    def answer(self, request: int) -> wire.Reader:
        """What the server says to it, as `ask` does."""
        while request not in self._answers:
            self._receive()
        return self._judge(self._answers.pop(request))

    def ask(self, kind: int, *fields: Chunk) -> wire.Reader:
        """Send a request and wait: the fields of the answer. StatusError where the server refuses."""
        return self.answer(self.submit(kind, *fields))

    def ask_all(self, requests: Iterable[tuple[int, bytes]]) -> "list[wire.Reader | StatusError]":
        """Send all of them at once, and wait: each one's answer or refusal. A few dozen at the most."""
        numbers = [self.submit(kind, fields) for kind, fields in requests]
        answers: list[wire.Reader | StatusError] = []
        for each in numbers:
            try:
                answers.append(self.answer(each))
            except StatusError as error:
                answers.append(error)
        return answers

    def ask_extension(self, name: bytes, *fields: Chunk) -> wire.Reader:
        """The same for a request of an extension."""
        return self.ask(wire.EXTENDED, wire.text(name), *fields)

    def abandon(self, request: int) -> None:
        """Its answer is of no interest any more."""
        if self._answers.pop(request, None) is None:
            self._abandoned.add(request)

    def is_fit(self) -> bool:
        """Whether the server still answers, after a pause in which the connection may have died."""
        with suppress(LostError, StatusError):
            self.ask(wire.STAT, wire.text("."))
        return self.alive

    def close(self) -> None:
        """End it. Idempotent; never waits long."""
        self.alive = False
        self._child.__exit__(None, None, None)

    def _greet(self) -> None:
        self._send(struct.pack(">IBI", 5, wire.INIT, wire.VERSION))
        while self._greeting is None:
            self._receive()
        reader = wire.Reader(memoryview(self._greeting))
        found = []
        with suppress(struct.error, ValueError):
            reader.number()
            while reader.rest:
                found.append(bytes(reader.data()))
                reader.data()
        self.extensions = frozenset(found)
        if wire.LIMITS in self.extensions:
            with suppress(StatusError):
                limits = self.ask_extension(wire.LIMITS)
                limits.long()
                self.read_bytes, self.write_bytes = (
                    min(limits.long() or _SAFE_BYTES, _MOST_BYTES) for _ in range(2)
                )

    def _send(self, *parts: Chunk) -> None:
        for part in parts:
            rest = memoryview(part)
            while rest:
                try:
                    rest = rest[os.write(self._stdin, rest) :]
                except BlockingIOError:
                    self._wait(write=True)
                except (OSError, ValueError) as error:
                    raise self._lost() from error

    def _receive(self) -> None:
        """Wait for bytes, and take them."""
        self._wait(write=False)

    def _wait(self, *, write: bool) -> None:
        if not self.alive:
            raise self._lost()
        seconds = self._access.patience.silence_seconds
        ready = self._poll(write=write, seconds=seconds)
        if not ready:
            raise self._lost(f"not a byte in {seconds:g} s")
        if self._stdout in ready:
            self._take()

    def _poll(self, *, write: bool, seconds: float) -> set[int]:
        poller = select.poll()
        poller.register(self._stdout, select.POLLIN)
        if write:
            poller.register(self._stdin, select.POLLOUT)
        return {descriptor for descriptor, _ in poller.poll(seconds * 1000)}

    def _take(self) -> None:
        try:
            came = os.read(self._stdout, _READ_BYTES)
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            raise self._lost() from error
        if not came:
            raise self._lost()
        self._pulse.beat()
        self._inbox += came
        while len(self._inbox) >= 4:
            size = int.from_bytes(self._inbox[:4], "big")
            if not 0 < size <= _LONGEST_PACKET:
                raise self._lost("it does not speak SFTP: does the account's shell greet?")
            if len(self._inbox) < 4 + size:
                return
            self._file(bytes(memoryview(self._inbox)[4 : 4 + size]))
            del self._inbox[: 4 + size]

    def _file(self, packet: bytes) -> None:
        if self._greeting is None:
            if packet[0] != wire.VERSION_REPLY:
                raise self._lost("it does not speak SFTP")
            self._greeting = packet[1:]
            return
        request = int.from_bytes(packet[1:5], "big")
        if request in self._abandoned:
            self._abandoned.discard(request)
        else:
            self._answers[request] = packet

    def _judge(self, packet: bytes) -> wire.Reader:
        reader = wire.Reader(memoryview(packet)[5:])
        if packet[0] != wire.STATUS:
            return reader
        try:
            code = reader.number()
            words = reader.text() if reader.rest else ""
        except (struct.error, ValueError) as error:
            raise self._lost("an answer that is none") from error
        if code != wire.OK:
            raise StatusError(code, words)
        return reader

    def _lost(self, words: str = "it broke off") -> LostError:
        """Why, by ssh's own words where it has ended by itself."""
        self.alive = False
        if not self._child.ends_within(_PARTING_SECONDS if words == "it broke off" else 0):
            self._child.kill()
        self._child.wait()
        failure = explain(self._child.errors(), self._access, words)
        return LostError(failure.reason, failure.message)
