# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Publishes and registers, and writes down what was asked and answered: with what the listeners saw it makes the history
for delivery_checker.py.

    ledger = Ledger(listeners)
    ledger.say(addresses, listener, "ADD_CLIENT", wish("C", "S"))
    ledger.publish([server], "C", "S", color="red")
    ledger.settle(); violations(ledger.history)
"""
import datetime
import json
import math
import re
import threading
import time

from cluster import send_once
from delivery_history import CLOSING, NOTICE, wants
from harness import PATIENCE, event, message, wait_for

CLIENT = re.compile(r"(\[[0-9a-f:]+\]|\d+\.\d+\.\d+\.\d+):\d+")


def wish(event_class, subclass=None, **pairs):
    """One registration, as the checker has it; a pair's value is a text or a list of them."""
    return {"class": event_class, "subclass": subclass,
            "pairs": {name: [value] if isinstance(value, str) else value for name, value in pairs.items()}}


def document_of(reg_type, port, wishes):
    return message(reg_type, port, *(event(one["class"], one["subclass"], **one["pairs"]) for one in wishes))


def sent_event(event_class, subclass, **pairs):
    """As the control socket wants it."""
    listed = {name: [value] if isinstance(value, str) else value for name, value in pairs.items()}
    return {"class": event_class, "subclass": subclass, "pairs": [{"name": name, "values": found} for name, found in listed.items()]}


class Ledger:
    """Its methods may be called by several threads, but for one client by one at a time."""

    def __init__(self, listeners):
        self.listeners = listeners
        self.entries = []
        self._serial, self._lock = 0, threading.Lock()

    @property
    def history(self):
        return [*self.entries, *self.listeners.history]

    def next_serial(self):
        with self._lock:
            self._serial += 1
            return str(self._serial)

    def publish(self, servers, event_class="C", subclass="S", **pairs):
        """Once, at the first that answers; its number, or None where nobody did."""
        what = sent_event(event_class, subclass, serial=self.next_serial(), **pairs)
        invoked = time.monotonic()
        number = self._publish_once(servers[0], what)
        self.entries.append({"published": number, "event": what, "invoked": invoked, "acknowledged": time.monotonic() if number else None})
        return number

    def tell_missed(self, servers):
        """That events may have been missed; the notice's number, or None where nobody answered."""
        return self.publish(servers, *NOTICE, reason="a test")

    @staticmethod
    def _publish_once(server, what):
        try:
            answer = server.ask(request="publish", event=what)
        except (OSError, json.JSONDecodeError):
            return None
        return answer[0]["sequence"] if answer and answer[0].get("ok") else None

    def say(self, addresses, listener, verb, *wishes, patience=5):
        """Once, at the first address that answers; the code, or None."""
        document = document_of(verb, listener.port, wishes)
        for address in addresses:
            invoked = time.monotonic()
            sent, code = send_once(address, document, patience)
            if sent:
                self.entries.append({"client": listener.client, "verb": verb, "events": list(wishes), "code": code, "invoked": invoked,
                                     "answered": self.listeners.sweep() if code else None})
            if code:
                return code
        return None

    def say_until(self, code, addresses, listener, verb, *wishes):
        """Again and again until that is the answer."""
        wait_for(lambda: self.say(addresses, listener, verb, *wishes) == code, f"{code} to {verb} of {listener.client}", pause=0.01)

    def restarting(self):
        """Around what ends a server and lets another one, or the same, go on."""
        return _Restart(self)

    def read_log(self, server, since=0):
        """What the server says that it gave up; `since` is a time at which no removal had been made."""
        for line in server.log("CRNPD-DLV-003", "CRNPD-DLV-004"):
            client = CLIENT.search(line["text"])
            assert client, f"no client in {line}"
            if line["id"] == "CRNPD-DLV-003":
                self.entries.append({"client": client.group(), "collapsed": time.monotonic()})
            else:
                self.entries.append({"client": client.group(), "removed": self.listeners.sweep(), "since": since})

    def read_roles(self, servers):
        """Leaderships that ended though nobody was killed, by the servers' logs (of level info): where the machine or etcd stands
        still for longer than the lease another one begins, as after a kill."""
        to_monotonic = time.monotonic() - time.time()
        roles = sorted((datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp() + to_monotonic, server.name, line["from"], line["role"])
                       for server in servers for line in server.log("CRNPD-ROL-001"))
        begun = {}
        for when, node, before, role in roles:
            if role == "active":
                begun[node] = when
            if before == "active" and node in begun:
                # The other one may have begun before this one noticed.
                another = min((time for time, _, _, role in roles if role == "active" and time > begun[node]), default=math.inf)
                self.entries.append({"restart": min(when, another) - CLOSING, "until": max(when, another) + CLOSING})

    def missing(self, listener, wishes, since=0):
        """Serials of acknowledged events published since then that it wants and has not got; a quick look, no judgement."""
        got = set(listener.serials)
        return [serial for entry in list(self.entries) if entry.get("published") and entry["invoked"] >= since and wants(wishes, entry["event"])
                for serial in entry["event"]["pairs"][0]["values"] if serial not in got]

    def settle_all(self, active, event_class):
        """Waits until everybody has what is published last, and all before it; `active` finds the active server."""
        last = wait_for(lambda: self.publish([active()], event_class, "last"), "the last event to be published")

        def is_done():
            told = active().ask(request="events")
            # One that has just lost its lease refuses.
            return bool(told) and told[0]["ok"] and told[0]["head"] >= last and told[0]["behind"] == 0

        self.settle(is_done)

    def settle(self, until=lambda: True, patience=PATIENCE):
        """Waits for the condition; everything published before has to be where it belongs then."""
        now = time.monotonic()
        wait_for(until, "all deliveries", patience, pause=0.05)
        self.listeners.sweep()
        self.entries.append({"settled": now})


class _Restart:
    def __init__(self, ledger):
        self.ledger = ledger

    def __enter__(self):
        self.began = time.monotonic()

    def __exit__(self, *_):
        self.ledger.entries.append({"restart": self.began, "until": self.ledger.listeners.sweep()})
