# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""What happened to events and clients, as delivery_checker judges it.

A history is a list of dicts that fit into JSON lines, in any order; times are seconds of one clock:

    {"published": 17, "event": {...}, "invoked": t, "acknowledged": t}       published and acknowledged None: no answer; a
                                                                             notice is an event of the class EC_crnpd
    {"client": "127.0.0.1:2001", "verb": "ADD_CLIENT", "events": [{"class": "C", "subclass": None, "pairs": {}}],
     "code": "OK", "invoked": t, "answered": t}                              code and answered None: no reply
    {"client": ..., "started": t, "ended": t, "what": "read", "document": {...}}   a connection; document None: not whole
    {"client": ..., "removed": t, "since": t}    a server removed it: at t this was seen, at `since` it was not so
    {"client": ..., "collapsed": t}              a server said that the client gets the current state instead
    {"restart": t, "until": t}                   a server was killed or stopped; from `until` on another one delivers
    {"settled": t}                               whatever was published before t had all the time it needs

Each event carries a pair `serial` of its own. A client sends a message again until it is answered, and `answered` is a
moment at which every connection that had been started was accepted (Listeners.sweep). A message is a window from
its first sending to its answer: within it both the state before and the one after may hold, and what came in it is
neither demanded nor refused.
"""
import bisect
import itertools
import math

from listeners import serial_of, values

NOTICE = "EC_crnpd", "ESC_crnpd_events_missed"
NAMED = {("EC_Cluster", "ESC_cluster_rg_state"): "rg_name", ("EC_Cluster", "ESC_cluster_r_state"): "r_name"}


def kind_of(event):
    """What replaces what as the current state (section 6 of docs/protocol.md)."""
    name = NAMED.get((event["class"], event["subclass"]))
    return event["class"], event["subclass"], tuple(values(event, name) or ()) if name else ()


def wants(registrations, event):
    pairs = {(pair["name"], tuple(pair["values"])) for pair in event["pairs"]}
    return any(one["class"] == event["class"] and one["subclass"] in (None, event["subclass"])
               and pairs >= {(name, tuple(found)) for name, found in one["pairs"].items()} for one in registrations)


class Published:
    def __init__(self, entry):
        self.event, self.sequence, self.invoked = entry["event"], entry["published"], entry["invoked"]
        self.acknowledged = math.inf if entry["acknowledged"] is None else entry["acknowledged"]
        self.serial, self.kind = serial_of(self.event), kind_of(self.event)

    @property
    def is_notice(self):
        return self.kind[:2] == NOTICE


class Book:
    """Everything that was published; `seen` says when the first connection with an event was started, by serial; `lost` are those
    without an answer that certainly were not published while the history lasted."""

    def __init__(self, events, seen):
        self.seen, self.lost = seen, set()
        self.events = sorted(events, key=lambda one: one.invoked)
        self.by_serial = {event.serial: event for event in events}
        self.notices = [event for event in self.events if event.is_notice]
        self._invoked = [event.invoked for event in self.events]
        self._kinds = {}
        for kind, found in itertools.groupby(sorted((one for one in events if one.sequence is not None), key=lambda one: (repr(one.kind), one.acknowledged)),
                                             key=lambda one: one.kind):
            found = list(found)
            latest = list(itertools.accumulate(found, lambda one, other: max(one, other, key=lambda event: event.sequence)))
            self._kinds[kind] = [event.acknowledged for event in found], latest

    def replaces(self, event, time):
        """Whether one of its kind that may be newer had been begun to be published by then."""
        return any(one.kind == event.kind and one.invoked <= time and self.may_be_newer(one, event) for one in self.events)

    def may_be_newer(self, one, event):
        """Without an answer it may have been published at any time, but not after somebody had it."""
        if one.sequence is not None:
            return one.sequence > event.sequence
        return one.serial not in self.lost and self.seen.get(one.serial, math.inf) >= event.invoked

    def bounds(self, event):
        """(the highest number that was certainly given before that of an event without an answer, the lowest after)"""
        known = [one for one in self.events if one.sequence is not None]
        seen = self.seen.get(event.serial, math.inf)
        return (max((one.sequence for one in known if one.acknowledged < event.invoked), default=0),
                min((one.sequence for one in known if one.invoked > seen), default=math.inf))

    def numbers_against_time(self):
        """Events with a number that is not above all that had been acknowledged before."""
        known = sorted((one for one in self.events if one.sequence is not None), key=lambda one: one.acknowledged)
        acknowledged = [one.acknowledged for one in known]
        highest = [0, *itertools.accumulate((one.sequence for one in known), max)]
        return [one for one in known if highest[bisect.bisect_left(acknowledged, one.invoked)] >= one.sequence]

    def between(self, first, last):
        """Those that were begun to be published then."""
        return self.events[bisect.bisect_left(self._invoked, first):bisect.bisect_left(self._invoked, last)]

    def state(self, time):
        """{kind: event}: the latest that were certainly published by then."""
        found = {}
        for kind, (acknowledged, latest) in self._kinds.items():
            if place := bisect.bisect_left(acknowledged, time):
                found[kind] = latest[place - 1]
        return found


# What a connection may wait until a listener accepts it: until then it may have been begun before the reply was written.
ACCEPTING = 0.05
# What a server may need to see that a listener has closed, or to hear of what another one has published.
CLOSING = 0.25
# What the active server may need to know that a notice is committed which a standby has answered already: an attempt at etcd whose
# answer is lost, and the next one.
TELLING = 1.5


class Window:
    """A message from its first sending to its answer, or a removal by a server."""

    def __init__(self, verb, begin, end, before, after):
        self.verb, self.begin, self.end = verb, begin, end
        self.before, self.after = before, after  # registrations; None: not registered

    @property
    def is_boundary(self):
        return self.verb not in ("ADD_EVENTS", "REMOVE_EVENTS")


def apply(verb, events, state):
    if verb == "ADD_CLIENT":
        return list(events)
    if verb in ("REMOVE_CLIENT", "removed") or state is None:
        return None
    return state + [one for one in events if one not in state] if verb == "ADD_EVENTS" else [one for one in state if one not in events]


def windows_of(entries):
    found, state, pending = [Window("removed", -math.inf, -math.inf, None, None)], None, None
    for entry in sorted(entries, key=lambda one: one.get("invoked", one.get("removed"))):
        if "removed" in entry:
            found.append(Window("removed", entry["since"], entry["removed"], state, None))
            state = None
        elif entry["code"] is None:
            pending = pending if pending is not None else entry["invoked"]
        elif entry["code"] == "OK":
            after = apply(entry["verb"], entry["events"], state)
            begin, pending = entry["invoked"] if pending is None else pending, None
            found.append(Window(entry["verb"], begin, entry["answered"], state, after))
            state = after
        elif entry["code"] == "FAIL":
            pending = None
    if pending is not None:
        found.append(Window("ADD_CLIENT", pending, math.inf, state, state))
    return found


class Session:
    """From an ADD_CLIENT to what ends it, with the connections that certainly belong to it and those that may."""

    def __init__(self, start, changes, end):
        self.start, self.changes, self.end = start, changes, end
        self.ends = end.begin if end else math.inf
        self.certain, self.possible = [], []

    @property
    def wishes(self):
        """The registrations at its end."""
        return self.changes[-1].after if self.changes else self.start.after

    def state_at(self, time):
        """The registrations, or None where two are possible."""
        last = [window for window in [self.start, *self.changes] if window.begin <= time]
        return last[-1].after if last and last[-1].end <= time else None

    def states_between(self, first, last):
        """All that may have held at some time of it."""
        found = []
        for window in [self.start, *self.changes]:
            if window.begin <= first:
                found = [window.after] + ([window.before or []] if window.end > first else [])
            elif window.begin <= last:
                found.append(window.after)
        return found

    def requires(self, event):
        return event.sequence is not None and self.wants_throughout(event)

    def wants_throughout(self, event):
        """From before it was published on; else the client may get it later, as the current state when it asks for it."""
        if not self.start.end <= event.invoked < self.ends:
            return False
        return self.wants_since(event.invoked, event)

    def wants_since(self, time, event):
        state = self.state_at(time)
        later = [window.after for window in self.changes if window.begin > time]
        return state is not None and all(wants(one, event.event) for one in [state, *later])
