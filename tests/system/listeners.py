# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Callback ports of many clients, each with a behaviour of its own, in one thread.

    with Listeners() as listeners:
        port = listeners.open(reading_after(0, 0.02)).port
        ...
        listeners.history        # one entry for each connection that ended, for delivery_checker.py

A behaviour is a function of a random generator that says for each connection how it goes: READ, RESET, HALF or NEVER,
and after how many seconds. die() closes the port, revive() opens the same one again. The time of an entry is
time.monotonic(); whoever has to know what was connected before a moment calls sweep() at that moment:
a handshake on this machine is over when connect() returns, so everything that came earlier is accepted then.
"""
import collections
import contextlib
import heapq
import itertools
import random
import selectors
import socket
import threading
import time
import xml.etree.ElementTree

from harness import PATIENCE, reset, wait_for

READ, RESET, HALF, NEVER = "read", "reset", "half", "never"
HALF_BYTES = 60


def reading(_chance):
    return READ, 0


def reading_after(least, most):
    return lambda chance: (READ, chance.uniform(least, most))


def always(what):
    return lambda _chance: (what, 0)


def moody(chance, most_delay=0.02, good=0.8):
    """Mostly reads, after a while; sometimes resets at once or in the middle of the document."""
    what = READ if chance.random() < good else chance.choice([RESET, HALF])
    return what, chance.uniform(0, most_delay)


def parse(raw):
    """The SC_EVENT as a dict, or None where it is not one whole document."""
    try:
        root = xml.etree.ElementTree.fromstring(raw)
    except xml.etree.ElementTree.ParseError:
        return None
    if root.tag != "SC_EVENT":
        return None
    pairs = [{"name": pair.findtext("NAME"), "values": [value.text or "" for value in pair.findall("VALUE")]}
             for pair in root.findall("NVPAIR")]
    return {"class": root.get("CLASS"), "subclass": root.get("SUBCLASS"), "vendor": root.get("VENDOR"),
            "publisher": root.get("PUBLISHER"), "version": root.get("VERSION"), "pairs": pairs}


def values(document, name):
    """The values of the pair of that name."""
    return next((pair["values"] for pair in document["pairs"] if pair["name"] == name), None)


def serial_of(document):
    """What the tests of this folder put into each event to know it again."""
    found = values(document, "serial")
    return found[0] if found else None


WAKING = 0.05  # s; what a thread may take to go on when it is woken


class Listener:
    """One port. Everything is done by the thread of its Listeners; other threads may set `behaviour`."""

    def __init__(self, owner, behaviour, host, port):
        self.owner, self.behaviour, self.host = owner, behaviour, host
        self.socket = None
        self.port = self._bind(port) if port else self._bind_anywhere()
        self.client = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def _bind(self, port):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((self.host, port))
            self.socket.listen(4096)
            self.socket.setblocking(False)
        except OSError:
            self.socket.close()
            raise
        return port

    def _bind_anywhere(self):
        """Below the range of outgoing connections, so that the port is free when it comes back."""
        while True:
            with contextlib.suppress(OSError):
                return self._bind(random.SystemRandom().randrange(10_000, 32_000))

    def die(self):
        """From now on connections are refused."""
        self.owner.do(lambda: self.owner.close_port(self))

    def revive(self, behaviour=None):
        self.behaviour = behaviour or self.behaviour
        self._bind(self.port)
        self.owner.do(lambda: self.owner.watch_port(self))

    # --- what it got

    @property
    def entries(self):
        return [entry for entry in list(self.owner.history) if entry["client"] == self.client]

    @property
    def documents(self):
        """Of connections that were read to their end, in the order of that."""
        return [entry["document"] for entry in self.entries if entry["document"]]

    @property
    def serials(self):
        return [serial_of(document) for document in self.documents]

    def wait_for(self, count, patience=PATIENCE):
        """The serials, once that many documents have come."""
        wait_for(lambda: len(self.documents) >= count, lambda: f"{count} documents at {self.client}, which got {self.serials}", patience)
        return self.serials


class _Connection:
    def __init__(self, listener, peer, what):
        self.listener, self.socket, self.what = listener, peer[0], what
        self.raw = b""
        # `begun`: it was not there before.
        self.entry = {"client": listener.client, "begun": listener.owner.looked, "started": time.monotonic(), "source": peer[1][0], "source_port": peer[1][1], "what": what}


class Listeners:
    def __init__(self, seed=0):
        self.history = []  # appended to by the thread; entries do not change any more
        self.accepted = collections.Counter()  # by client
        self._chance = random.Random(seed)
        self._selector = selectors.DefaultSelector()
        self._timers, self._numbers = [], itertools.count()
        self._tasks = collections.deque()
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._open, self._held = set(), set()
        self._over, self.looked = False, time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._over = True
        self._poke()
        self._thread.join()
        for one in [*self._open, *self._held]:
            one.socket.close()
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def open(self, behaviour=reading, host="127.0.0.1", port=None):
        listener = Listener(self, behaviour, host, port)
        self.do(lambda: self.watch_port(listener))
        return listener

    def dead(self, host="127.0.0.1"):
        """A port at which nobody listens, until revive()."""
        listener = self.open(host=host)
        listener.die()
        return listener

    def do(self, task):
        """Runs the task in the thread and waits for its end."""
        done = threading.Event()
        self._tasks.append((task, done))
        self._poke()
        if not done.wait(PATIENCE):
            raise AssertionError("the listeners' thread does not answer")

    def sweep(self):
        """Accepts whatever was connected before; the time when that was done."""
        self.do(lambda: [self._accept(one) for one in list(self._open)])
        return time.monotonic()

    # --- the thread

    def _poke(self):
        with contextlib.suppress(BlockingIOError):
            self._wake.send(b"x")

    def watch_port(self, listener):
        self._open.add(listener)
        self._selector.register(listener.socket, selectors.EVENT_READ, listener)

    def close_port(self, listener):
        self._accept(listener)
        self._open.discard(listener)
        self._selector.unregister(listener.socket)
        listener.socket.close()

    def _run(self):
        returned = time.monotonic()
        while not self._over:
            wait = max(0, self._timers[0][0] - time.monotonic()) if self._timers else None
            asked = time.monotonic()
            ready = self._selector.select(wait)
            # What is ready came since the time before, unless it has just woken the thread.
            before, returned = returned, time.monotonic()
            self.looked = before if returned - asked < WAKING else returned - WAKING
            for key, _ in ready:
                if key.data is None:
                    self._woken.recv(4096)
                elif isinstance(key.data, Listener):
                    if key.data in self._open:
                        self._accept(key.data)
                else:
                    self._read(key.data)
            while self._timers and self._timers[0][0] <= time.monotonic():
                self._begin(heapq.heappop(self._timers)[2])
            while self._tasks:
                task, done = self._tasks.popleft()
                task()
                done.set()

    def _accept(self, listener):
        while True:
            try:
                peer = listener.socket.accept()
            except OSError:
                return
            self.accepted[listener.client] += 1
            what, delay = listener.behaviour(self._chance)
            peer[0].setblocking(False)
            connection = _Connection(listener, peer, what)
            self._held.add(connection)
            if delay:
                heapq.heappush(self._timers, (time.monotonic() + delay, next(self._numbers), connection))
            else:
                self._begin(connection)

    def _begin(self, connection):
        if connection.what == RESET:
            self._end(connection, complete=False)
        elif connection.what != NEVER:
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def _read(self, connection):
        try:
            piece = connection.socket.recv(HALF_BYTES if connection.what == HALF else 65536)
        except BlockingIOError:
            return
        except OSError:
            self._end(connection, complete=False)
            return
        connection.raw += piece
        if connection.what == HALF:
            self._end(connection, complete=False)
        elif not piece:
            self._end(connection, complete=True)

    def _end(self, connection, complete):
        """The entry is there before the server can see the end, so its next connection starts later than this one ended."""
        document = parse(connection.raw) if complete else None
        self.history.append({**connection.entry, "ended": time.monotonic(), "document": document, "bytes": len(connection.raw)})
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.socket)
        self._held.discard(connection)
        if complete:
            connection.socket.close()
        else:
            reset(connection.socket)
