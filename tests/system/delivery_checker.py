# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Decides whether a history of events and connections keeps the promise of delivery (P5 and P6 of the project):

P5  each client gets the events it asked for in one order, each at least once and none skipped, whole documents only,
    one connection at a time; first the current state, and again after each notice that events may have been missed; the
    same again only there, and where a server ended in between
P6  no connection to a client is started after its removal was acknowledged

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
import collections
import itertools
import math

from listeners import NEVER, READ, serial_of, values

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
    """Everything that was published."""

    def __init__(self, events):
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
        else:
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


class ClientCheck:
    def __init__(self, client, entries, book, restarts, settled):
        self.client, self.book, self.restarts, self.settled = client, book, restarts, settled
        self.by_serial = book.by_serial
        self.windows = windows_of([one for one in entries if "verb" in one or "removed" in one])
        self.connections = sorted(({"begun": one["started"], **one} for one in entries if "started" in one), key=lambda one: one["started"])
        self.collapses = [one["collapsed"] for one in entries if "collapsed" in one]
        self.sessions = self._sessions()
        self.found = []

    def say(self, text):
        self.found.append(f"{self.client}: {text}")

    def run(self):
        self.check_connections()
        self.check_removals()
        for session in self.sessions:
            receipts = self.first_receipts(session)
            self.check_order(session, receipts)
            self.check_state(session, receipts)
            self.check_notices(session)
            self.check_completeness(session, receipts)
        return self.found

    def _sessions(self):
        boundaries = [window for window in self.windows if window.is_boundary]
        found = []
        for window, end in zip(boundaries, [*boundaries[1:], None]):
            if window.after is not None:
                changes = [one for one in self.windows if not one.is_boundary and window.end <= one.begin and (not end or one.begin < end.begin)]
                found.append(Session(window, changes, end))
        for session in found:
            for one in self.connections:
                if session.start.end <= one["begun"] - ACCEPTING and one["started"] < session.ends:
                    session.certain.append(one)
                elif session.start.begin <= one["started"] < (session.end.end if session.end else math.inf):
                    session.possible.append(one)
        return found

    # --- connections

    def restarted(self, first, last):
        return any(begin <= last and until >= first for begin, until in self.restarts)

    def told(self, first, last):
        return any(notice.invoked <= last and notice.acknowledged >= first for notice in self.book.notices)

    def bounded(self, first, last):
        return any(window.is_boundary and window.begin <= last and window.end >= first for window in self.windows[1:])

    def check_connections(self):
        for one in self.connections:
            if one["what"] == READ and one["document"] is None and not self.restarted(one["started"], one["ended"]) \
                    and not self.bounded(one["started"], one["ended"]):
                self.say(f"a connection at {one['started']:.6f} brought no whole document")
        clean = [one for one in self.connections if one["what"] != NEVER]
        for before, one in zip(clean, clean[1:]):
            if one["started"] < before["ended"] and not self.restarted(before["started"], before["ended"]) \
                    and not self.bounded(min(before["begun"], one["begun"]) - ACCEPTING, one["started"]):
                self.say(f"two connections at once at {one['started']:.6f}")

    def check_removals(self):
        boundaries = [window for window in self.windows if window.is_boundary]
        for window, following in zip(boundaries, [*boundaries[1:], None]):
            until = following.begin if following else math.inf
            late = [one for one in self.connections if window.after is None and window.end < one["started"] < until]
            if late:
                self.say(f"a connection at {late[0]['started']:.6f} was started while it was not registered")

    # --- events

    def first_receipts(self, session):
        """{serial: place} of the whole documents of the session; finds what should not be among them."""
        receipts, times = {}, {}
        for place, one in enumerate(sorted((one for one in session.certain if one["document"]), key=lambda one: one["ended"])):
            serial = serial_of(one["document"])
            event = self.by_serial.get(serial)
            if event is None or one["document"]["pairs"] != event.event["pairs"] or one["document"]["class"] != event.event["class"] \
                    or one["document"]["subclass"] != event.event["subclass"]:
                self.say(f"got what nobody published: {one['document']}")
            elif not any(wants(state, event.event) for state in session.states_between(event.invoked, one["ended"])):
                self.say(f"got {serial}, which it had not asked for")
            elif serial in receipts:
                self.check_repetition(session, event, times[serial], one["started"])
            elif self.may_have_come(session, serial, one["started"]):
                continue  # a repetition, of a connection that may have been this session's
            else:
                receipts[serial], times[serial] = place, one["started"]
        self.times = times
        return receipts

    def may_have_come(self, session, serial, again):
        return any(one["document"] and serial_of(one["document"]) == serial and one["started"] < again
                   and (self.restarted(one["started"], again) or self.told(one["started"], again)) for one in session.possible)

    def check_repetition(self, session, event, first, again):
        added = any(window.verb == "ADD_EVENTS" and first <= window.end and window.begin <= again and not wants(window.before, event.event)
                    for window in session.changes)
        if not added and not self.told(first, again) and not self.restarted(first, again):
            self.say(f"got {event.serial} again at {again:.6f} for no reason")

    def received(self, session, receipts):
        """Those of connections of which it is not certain whose they are, too."""
        return set(receipts) | {serial_of(one["document"]) for one in session.possible if one["document"]}

    def check_order(self, session, receipts):
        last, last_of_kind = None, {}
        for serial in receipts:
            event = self.by_serial[serial]
            if event.sequence is None:
                continue
            newer = last_of_kind.get(event.kind)
            if newer and newer.sequence > event.sequence and not self.is_of_before_it_asked(session, event, newer):
                self.say(f"got {serial} ({event.sequence}) after {newer.serial} ({newer.sequence}), which is newer of its kind")
            last_of_kind[event.kind] = event
            if session.requires(event):
                if last and last.sequence > event.sequence:
                    self.say(f"got {serial} ({event.sequence}) after {last.serial} ({last.sequence})")
                last = event

    def is_of_before_it_asked(self, session, event, newer):
        """A new server goes on from the mark by what is asked for now: of events that were published shortly before an ADD_EVENTS
        some come then that the server before had left out, because a newer one was the state already."""
        return any(window.verb == "ADD_EVENTS" and event.invoked <= window.end and not wants(window.before, event.event)
                   for window in session.changes) \
            and any(until >= self.times[newer.serial] and begin <= self.times[event.serial] for begin, until in self.restarts)

    def latest(self, before, accepts):
        """{kind: event}: of the state as of then what is asked for."""
        return {kind: event for kind, event in self.book.state(before).items() if accepts(event.event)}

    def check_state(self, session, receipts):
        """The current state at ADD_CLIENT comes first and is the latest; ADD_EVENTS brings that of what is new."""
        asked = lambda event: wants(session.start.after, event)  # noqa: E731
        state = self.latest(session.start.begin, asked)
        required = [receipts[serial] for serial in receipts if session.requires(self.by_serial[serial])]
        for serial, place in receipts.items():
            event = self.by_serial[serial]
            now = state.get(event.kind)
            if now and event.sequence is not None and event.sequence < now.sequence:
                self.say(f"got {serial}, an old state: {now.serial} was current")
            elif now is event and required and place > min(required) and not session.changes:
                self.say(f"got {serial}, a state, after events that were published later")
        self.demand_state(session, receipts, state, "ADD_CLIENT", bool(required))
        for window in session.changes:
            if window.verb == "ADD_EVENTS" and window.end < math.inf:
                new = lambda event, one=window: wants(one.after, event) and not wants(one.before, event)  # noqa: E731
                self.demand_state(session, receipts, self.latest(window.begin, new), "ADD_EVENTS", False)

    def check_notices(self, session):
        """After each that was acknowledged comes what was current, or what is newer of its kind."""
        if not self.is_settled(session):
            return
        brought = [(one["ended"], self.by_serial.get(serial_of(one["document"]))) for one in [*session.certain, *session.possible] if one["document"]]
        for notice in self.book.notices:
            if not session.start.end <= notice.invoked <= notice.acknowledged <= self.settled:
                continue
            since = [event for ended, event in brought if event and ended >= notice.invoked]
            for event in self.latest(notice.invoked, lambda _: True).values():
                if session.wants_since(notice.invoked, event) and not any(
                        one.kind == event.kind and (one.sequence is None or one.sequence >= event.sequence) for one in since):
                    self.say(f"did not get {event.serial}, the state, after the notice {notice.serial}")

    def demand_state(self, session, receipts, state, verb, over):
        if not over and not self.is_settled(session):
            return
        later = [window for window in session.changes if window.verb == "REMOVE_EVENTS"]
        for event in state.values():
            have = [self.by_serial[one] for one in self.received(session, receipts) if one in self.by_serial]
            # One that has been followed by a newer one before it was sent is left out: that one comes in its turn.
            followed = over and any(one.kind == event.kind and one.sequence is not None and one.sequence > event.sequence and one.invoked < session.ends
                                    for one in self.by_serial.values())
            if not followed and not any(one.kind == event.kind and (one.sequence is None or one.sequence >= event.sequence) for one in have) \
                    and all(wants(window.after, event.event) for window in later):
                self.say(f"did not get {event.serial}, the state at {verb}")

    def is_settled(self, session):
        return self.settled is not None and session.start.end < self.settled and session.ends > self.settled

    def check_completeness(self, session, receipts):
        have = self.received(session, receipts)
        required = sorted(filter(session.requires, self.book.between(session.start.end, session.ends)), key=lambda event: event.sequence)
        # What came while the session may have been over already may be the state that the next one began with.
        most = max((event.sequence for event in required if event.serial in receipts), default=0)
        for event in required:
            if event.serial in have or self.collapsed(session, event, have):
                continue
            if event.sequence < most:
                self.say(f"did not get {event.serial} ({event.sequence}), but later ones")
            elif self.is_settled(session) and event.acknowledged <= self.settled:
                self.say(f"never got {event.serial} ({event.sequence})")

    def collapsed(self, session, event, have):
        """Replaced by a newer one of its kind when the queue was given up."""
        if not any(session.start.begin <= time and time >= event.invoked for time in self.collapses):
            return False
        return any(one.kind == event.kind and one.sequence is not None and one.sequence > event.sequence and one.serial in have
                   for one in self.book.events)


def one_order(checks):
    """Where an event without an answer stands: every client must have it at one and the same place."""
    bounds, found = collections.defaultdict(lambda: (0, math.inf)), []
    for check in checks:
        for session in check.sessions:
            numbers = [check.by_serial[serial] for serial in check.first_receipts(session)]
            demanded = [event for event in numbers if event.sequence is None or session.requires(event)]
            for place, event in enumerate(demanded):
                if event.sequence is None and session.wants_throughout(event):
                    before = [one.sequence for one in demanded[:place] if one.sequence is not None]
                    after = [one.sequence for one in demanded[place:] if one.sequence is not None]
                    least, most = bounds[event.serial]
                    bounds[event.serial] = max(least, *before, 0), min([most, *after])
    for serial, (least, most) in bounds.items():
        if least >= most:
            found.append(f"{serial}: clients got it at different places, after {least} and before {most}")
    return found


def violations(history):
    """A text for each thing that must not be."""
    published = [Published(entry) for entry in history if "published" in entry]
    restarts = [(entry["restart"], entry["until"]) for entry in history if "restart" in entry]
    settled = max((entry["settled"] for entry in history if "settled" in entry), default=None)
    by_client = collections.defaultdict(list)
    for entry in history:
        if "client" in entry:
            by_client[entry["client"]].append(entry)
    numbers = collections.Counter(event.sequence for event in published if event.sequence is not None)
    found = [f"{count} events have the number {number}" for number, count in numbers.items() if count > 1]
    book = Book(published)
    checks = [ClientCheck(client, entries, book, restarts, settled) for client, entries in sorted(by_client.items())]
    for check in checks:
        found += check.run()
    return found + (one_order(checks) if not found else [])
