# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Decides whether a history of events and connections keeps the promise of delivery (P5 and P6 of the project):

P5  each client gets the events it asked for in one order, each at least once and none skipped, whole documents only,
    one connection at a time; first the current state, and again after each notice that events may have been missed; the
    same again only there, and where a server ended in between
P6  no connection to a client is started after its removal was acknowledged

delivery_history tells what a history is.
"""
import collections
import math

from delivery_history import ACCEPTING, CLOSING, TELLING, Book, Published, Session, wants, windows_of
from listeners import NEVER, READ, serial_of


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
        """By a notice in between. What is told to a standby is answered before the active server acts on it."""
        return any(notice.invoked <= last and notice.acknowledged >= first - TELLING for notice in self.book.notices)

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
        receipts, times, before = {}, {}, Received(self, session)
        for place, one in enumerate(sorted((one for one in session.certain if one["document"]), key=lambda one: one["ended"])):
            serial = serial_of(one["document"])
            event = self.by_serial.get(serial)
            if event is None or one["document"]["pairs"] != event.event["pairs"] or one["document"]["class"] != event.event["class"] \
                    or one["document"]["subclass"] != event.event["subclass"]:
                self.say(f"got what nobody published: {one['document']}")
            elif not any(wants(state, event.event) for state in session.states_between(event.invoked, one["ended"])):
                self.say(f"got {serial}, which it had not asked for")
            elif serial in receipts:
                before.check_repetition(event, one["started"])
            elif self.may_have_come(session, serial, one["started"]):
                continue  # a repetition, of a connection that may have been this session's
            else:
                receipts[serial], times[serial] = place, one["started"]
            if serial in receipts:
                before.add(event, one["started"])
        self.times = times
        return receipts

    def may_have_come(self, session, serial, again):
        return any(one["document"] and serial_of(one["document"]) == serial and one["started"] < again
                   and (self.restarted(one["started"], again) or self.told(one["started"], again)) for one in session.possible)

    def received(self, session, receipts):
        """Those of connections of which it is not certain whose they are, too."""
        return set(receipts) | {serial_of(one["document"]) for one in session.possible if one["document"]}

    def check_order(self, session, receipts):
        last, last_of_kind = None, {}
        known = [event for event in map(self.by_serial.get, receipts) if event.sequence is not None]
        for before, event in zip(known, known[1:]):
            if before.sequence > event.sequence and not session.changes and not self.collapses:
                self.say(f"got {event.serial} ({event.sequence}) after {before.serial} ({before.sequence})")
        for event in known:
            serial = event.serial
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
        required = [serial for serial in receipts if session.requires(self.by_serial[serial])]
        first = min((receipts[serial] for serial in required), default=math.inf)
        for serial, place in receipts.items():
            event = self.by_serial[serial]
            now = state.get(event.kind)
            if now and event.sequence is not None and event.sequence < now.sequence:
                self.say(f"got {serial}, an old state: {now.serial} was current")
            elif now is event and place > first and not session.changes:
                self.say(f"got {serial}, a state, after events that were published later")
        self.demand_state(session, state, session.start, min((self.times[serial] for serial in required), default=None))
        for window in session.changes:
            if window.verb == "ADD_EVENTS" and window.end < math.inf:
                new = lambda event, one=window: wants(one.after, event) and not wants(one.before, event)  # noqa: E731
                self.demand_state(session, self.latest(window.begin, new), window, None)

    def check_notices(self, session):
        """After each that was acknowledged comes what was current, or what is newer of its kind; then what was published later."""
        if not self.is_settled(session):
            return
        brought = [(one["started"], one["ended"], self.by_serial.get(serial_of(one["document"])))
                   for one in [*session.certain, *session.possible] if one["document"]]
        for notice in self.book.notices:
            if not session.start.end <= notice.invoked <= notice.acknowledged <= self.settled:
                continue
            later = min((started for started, _, event in brought if event and (event.sequence or 0) > notice.sequence), default=math.inf)
            for event in self.latest(notice.invoked, lambda one: True).values():
                if not session.wants_since(notice.invoked, event):
                    continue
                came = min((ended for _, ended, one in brought if one and self.serves_for(one, event) and ended >= notice.invoked - CLOSING), default=None)
                if came is None and (self.book.replaces(event, notice.acknowledged) or self.is_replaced_unseen(session, event)):
                    continue  # by one of which nobody knows, or that the client does not want
                if came is None:
                    self.say(f"did not get {event.serial}, the state, after the notice {notice.serial}")
                elif came > later and not self.book.replaces(event, later):
                    self.say(f"got what was published after the notice {notice.serial} before {event.serial}, the state")

    def demand_state(self, session, state, message, later_began):
        """That the message asked for; `later_began`: when what comes after the state was begun to be sent, if it was."""
        if later_began is None and not self.is_settled(session):
            return
        later = [window for window in session.changes if window.verb == "REMOVE_EVENTS" and window.begin >= message.begin]
        brought = [one for one in [*session.certain, *session.possible] if one["document"] and one["ended"] >= message.begin - CLOSING]
        have = [event for event in (self.by_serial.get(serial_of(one["document"])) for one in brought) if event]
        for event in state.values():
            # One that has been followed by a newer one before it was sent is left out: that one comes in its turn, if it is wanted.
            followed = self.is_replaced_unseen(session, event) if later_began is None else self.book.replaces(event, later_began)
            if not followed and not any(self.serves_for(one, event) for one in have) and all(wants(window.after, event.event) for window in later):
                self.say(f"did not get {event.serial}, the state at {message.verb}")

    def serves_for(self, one, event):
        """Whether a client that gets `one` has the state `event`, or what is newer."""
        return one is event or one.kind == event.kind and self.book.may_be_newer(one, event)

    def is_replaced_unseen(self, session, event):
        """By a newer one of its kind that the client does not want."""
        return any(one.kind == event.kind and one.invoked <= self.settled and self.book.may_be_newer(one, event)
                   and not session.wants_since(one.invoked, one) and not wants(session.wishes, one.event) for one in self.book.events)

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
        if self.is_settled(session) and not self.collapses:
            self.check_what_others_got(session, have)

    def check_what_others_got(self, session, have):
        """Without an answer an event is demanded of everybody once somebody has it."""
        for event in self.book.between(session.start.end, self.settled):
            if event.sequence is None and self.book.seen.get(event.serial, math.inf) <= self.settled and event.serial not in have \
                    and session.wants_throughout(event):
                self.say(f"never got {event.serial}, which others got")

    def would_have(self, event):
        """Had it been published."""
        return not self.collapses and any(self.is_settled(session) and session.wants_throughout(event) for session in self.sessions)

    def collapsed(self, session, event, have):
        """Replaced by a newer one of its kind when the queue was given up."""
        if not any(session.start.begin <= time and time >= event.invoked for time in self.collapses):
            return False
        return any(one.kind == event.kind and one.sequence is not None and one.sequence > event.sequence and one.serial in have
                   for one in self.book.events)


class Received:
    """What a client got so far in a session, to judge what comes again."""

    def __init__(self, check, session):
        self.check, self.session = check, session
        self.last, self.newest = {}, {}  # {serial: when it began}, {kind: event}
        self.followed = set()  # (serial, notice): a notice brings each event once

    def add(self, event, started):
        self.last[event.serial] = started
        if event.sequence is not None and (event.kind not in self.newest or self.newest[event.kind].sequence < event.sequence):
            self.newest[event.kind] = event

    def check_repetition(self, event, again):
        last = self.last[event.serial]
        added = any(window.verb == "ADD_EVENTS" and last - CLOSING <= window.end and window.begin <= again and not wants(window.before, event.event)
                    for window in self.session.changes)
        if not added and not self.check.restarted(last, again) and not self.is_told(event, last, again):
            self.check.say(f"got {event.serial} again at {again:.6f} for no reason")

    def is_told(self, event, last, again):
        """By a notice in between, and it is still the state."""
        notices = [one for one in self.check.book.notices
                   if one.invoked <= again and one.acknowledged >= last - TELLING and (event.serial, one.serial) not in self.followed]
        newest = self.newest.get(event.kind)
        if not notices or (newest and event.sequence is not None and newest.sequence > event.sequence):
            return False
        self.followed.add((event.serial, min(notices, key=lambda one: one.acknowledged).serial))
        return True


def one_order(checks):
    """Where an event without an answer stands: every client must have it at one and the same place."""
    book = checks[0].book
    bounds, found = {event.serial: book.bounds(event) for event in book.events if event.sequence is None}, []
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


def first_seen(history):
    """{serial: when the first connection that brought it was started}"""
    seen = {}
    for one in history:
        if one.get("document"):
            serial = serial_of(one["document"])
            seen[serial] = min(one["started"], seen.get(serial, math.inf))
    return seen


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
    book = Book(published, first_seen(history))
    found += [f"{event.serial} has the number {event.sequence}, which is not above those before" for event in book.numbers_against_time()]
    checks = [ClientCheck(client, entries, book, restarts, settled) for client, entries in sorted(by_client.items())]
    book.lost = {event.serial for event in book.events if event.sequence is None and event.serial not in book.seen
                 and settled is not None and event.invoked <= settled and any(check.would_have(event) for check in checks)}
    for check in checks:
        found += check.run()
    return found + (one_order(checks) if checks and not found else [])
