# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Clients of a cluster that write down what they sent and what was acknowledged (a history for checker.py).

A client repeats a message until it is answered, at whichever address accepts it, as section 4 of docs/protocol.md
wants it; only then it sends the next one. So a copy that a paused server still holds is never older than
the client's last answered message by more than itself.
"""
import random
import threading
import time

from cluster import send_once
from harness import PATIENCE, event, message, wait_for

VERBS = ("ADD_CLIENT", "ADD_EVENTS", "ADD_EVENTS", "REMOVE_EVENTS", "REMOVE_CLIENT")
NAMES = ["A", "B", "C", "D", "E", "F"]


class LedgerClient:
    def __init__(self, port, seed, addresses, patience):
        self.port, self.addresses, self.patience = port, list(addresses), patience
        self.name = f"127.0.0.1:{port}"
        self.history = []
        self.answered = 0
        self.chance = random.Random(seed)

    def work_once(self, over):
        """One message, until it is answered or it is over; RETRY is an answer and asks for a repetition."""
        verb, events = self.chance.choice(VERBS), self.chance.sample(NAMES, 2)
        while not over.is_set():
            code = self.attempt(verb, events)
            if code is None:
                over.wait(0.005)
            elif code == "RETRY" and self.chance.random() < 0.5:
                over.wait(0.01)
            else:
                return

    def attempt(self, verb, events):
        """At the address that answered last, else at the next ones, once each; the code, or None."""
        document = message(verb, self.port, *map(event, events))
        for address in list(self.addresses):
            invoked = time.monotonic()
            sent, code = send_once(address, document, self.patience)
            if sent:
                self.history.append({"client": self.name, "verb": verb, "events": events, "code": code, "server": address[1],
                                     "invoked": invoked, "answered": time.monotonic() if code else None})
            if code:
                self.answered += 1
                return code
            self.addresses.append(self.addresses.pop(0))
        return None

    def look(self, node):
        self.history.append({"client": self.name, "seen": node.registrations(self.port)})


class Crew:
    """Clients at work, a thread each; hold() lets them finish their message and wait."""

    def __init__(self, addresses, seed, count=8, patience=1.0):
        self.clients = [LedgerClient(2001 + i, f"{seed}-{i}", addresses, patience) for i in range(count)]
        self._over, self._go = threading.Event(), threading.Event()
        self._resting = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._work, args=(client,), daemon=True) for client in self.clients]
        for thread in self._threads:
            thread.start()
        self._wait_for_rest()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._over.set()
        self._go.set()
        for thread in self._threads:
            thread.join()

    def _work(self, client):
        while not self._over.is_set():
            if not self._go.is_set():
                self._resting.release()
                self._go.wait()
            client.work_once(self._over)

    def _wait_for_rest(self):
        for _ in self.clients:
            if not self._resting.acquire(timeout=PATIENCE):
                raise AssertionError(f"a client was not answered within {PATIENCE} s")

    def go(self):
        self._go.set()

    def hold(self):
        self._go.clear()
        self._wait_for_rest()

    @property
    def answered(self):
        return sum(client.answered for client in self.clients)

    @property
    def history(self):
        return [entry for client in self.clients for entry in client.history]

    def wait_for_answers(self, count):
        """That many more of them from now on: a place in the work, not in time."""
        before = self.answered
        wait_for(lambda: self.answered >= before + count, "answers", pause=0.001)

    def look(self, node):
        for client in self.clients:
            client.look(node)
