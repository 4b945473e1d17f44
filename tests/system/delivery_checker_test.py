# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""The checker of deliveries accepts what may be and finds what must not; the listeners behave as they are told."""
import socket
import unittest

from delivery_checker import violations
from delivery_history import NOTICE
from harness import PATIENCE, connect, wait_for
from listeners import HALF, NEVER, READ, RESET, Listeners, always, parse, reading_after, serial_of


def document(serial, event_class="C", subclass="S", **pairs):
    named = {"serial": [serial], **{name: [value] for name, value in pairs.items()}}
    return {"class": event_class, "subclass": subclass, "pairs": [{"name": name, "values": found} for name, found in named.items()]}


class Story:
    """Writes a history in which each thing happens one second after the one before."""

    def __init__(self):
        self.history, self.now, self.events = [], 0.0, {}

    def tick(self):
        self.now += 1
        return self.now

    def say(self, verb, *classes, code="OK", client="c", pairs=None):
        events = [{"class": one.partition("/")[0], "subclass": one.partition("/")[2] or None, "pairs": pairs or {}} for one in classes]
        invoked, answered = self.tick(), self.tick()
        self.history.append({"client": client, "verb": verb, "events": events, "code": code, "invoked": invoked,
                             "answered": answered if code else None})
        return self

    def add(self, *classes, **more):
        return self.say("ADD_CLIENT", *(classes or ["C"]), **more)

    def publish(self, number, answered=True, **more):
        self.events[number] = document(str(number), **more)
        invoked, acknowledged = self.tick(), self.tick()
        self.history.append({"published": number if answered else None, "event": self.events[number], "invoked": invoked,
                             "acknowledged": acknowledged if answered else None})
        return self

    def get(self, *numbers, client="c", lasting=0.5, what=READ, whole=True):
        for number in numbers:
            started = self.tick()
            self.history.append({"client": client, "started": started, "ended": started + lasting, "what": what,
                                 "document": self.events[number] if whole else None})
        return self

    def tell_missed(self, number, **more):
        return self.publish(number, event_class=NOTICE[0], subclass=NOTICE[1], **more)

    def note(self, **entry):
        self.history.append(entry)
        return self

    def restart(self):
        return self.note(restart=self.tick(), until=self.tick())

    def collapse(self, client="c"):
        return self.note(client=client, collapsed=self.tick())

    def settle(self):
        return self.note(settled=self.tick())


class WhatMayBe(unittest.TestCase):
    def accepts(self, story):
        self.assertEqual(violations(story.settle().history), [])

    def test_events_in_their_order(self):
        self.accepts(Story().add().publish(1).publish(2).get(1, 2).publish(3).get(3))

    def test_attempts_that_fail_and_are_repeated(self):
        story = Story().add().publish(1).publish(2)
        self.accepts(story.get(1, what=RESET, whole=False).get(1, what=HALF, whole=False).get(1, 2))

    def test_the_same_again_after_a_failover(self):
        self.accepts(Story().add().publish(1).publish(2).get(1, 2).restart().get(1, 2).publish(3).get(3))

    ASKED_LATER = staticmethod(lambda: Story().add("C/T").publish(1).publish(2).say("ADD_EVENTS", "C/S").get(2))

    def test_what_was_published_before_it_was_asked_for_and_comes_from_a_new_server(self):
        self.accepts(self.ASKED_LATER().restart().get(1, 2))

    def test_what_came_while_the_reply_did_and_again_from_a_new_server(self):
        story = Story().publish(1).add()
        story.note(client="c", started=story.now - 0.5, ended=story.now + 0.1, what=READ, document=story.events[1])
        self.accepts(story.publish(2).get(2).restart().get(1, 2))

    def test_half_a_document_when_the_server_is_killed(self):
        self.accepts(Story().add().publish(1).get(1, whole=False, lasting=1.5).restart().get(1))

    def test_an_event_without_an_answer_comes_or_does_not(self):
        self.accepts(Story().add().publish(1, answered=False).publish(2).get(1, 2))
        self.accepts(Story().add().publish(1, answered=False).publish(2).get(2))

    def test_the_current_state_at_first(self):
        self.accepts(Story().publish(1).publish(2).publish(3, subclass="T").add().publish(4).get(2, 3, 4))

    def test_no_state_where_an_event_without_an_answer_may_have_taken_its_place(self):
        story = Story().publish(1).add().publish(2, subclass="T").publish(3, answered=False)
        self.accepts(story.get(2).add().get(2, 3))

    def test_a_message_that_was_carried_out_without_an_answer_and_then_refused_for_a_while(self):
        story = Story().add().publish(1).get(1).say("ADD_CLIENT", "C", code=None).get(1)
        self.accepts(story.say("ADD_CLIENT", "C", code="RETRY").add().get(1))

    def test_a_group_each(self):
        groups = Story()
        for number, name in enumerate(["a", "b", "a"], 1):
            groups.publish(number, event_class="EC_Cluster", subclass="ESC_cluster_rg_state", rg_name=name)
        self.accepts(groups.add("EC_Cluster").get(2, 3))

    def test_the_state_of_what_was_added(self):
        self.accepts(Story().publish(1).publish(2, event_class="D").add().get(1).say("ADD_EVENTS", "D").get(2))

    def test_two_places_of_an_event_without_an_answer_where_one_asked_for_it_later(self):
        story = Story().add("C", "D").add("D", client="d").publish(1, answered=False).publish(2, event_class="D").get(1, 2).get(2, client="d")
        self.accepts(story.say("ADD_EVENTS", "C", client="d").get(1, client="d"))

    def test_everything_again_for_a_client_that_registers_again(self):
        self.accepts(Story().publish(1).add().get(1).add().get(1))

    def test_the_current_state_after_a_collapse(self):
        self.accepts(Story().add().publish(1).publish(2).publish(3).publish(4, subclass="T").collapse().get(3, 4))

    def test_the_state_again_after_a_notice(self):
        story = Story().add().publish(1).publish(2).publish(3, subclass="T").get(1, 2, 3)
        self.accepts(story.tell_missed(4).publish(5, subclass="T").get(2, 5))

    def test_what_came_while_the_reply_did_and_again_after_a_notice(self):
        story = Story().publish(1).add()
        story.note(client="c", started=story.now - 0.5, ended=story.now + 0.1, what=READ, document=story.events[1])
        self.accepts(story.publish(2, subclass="T").get(2).tell_missed(3).get(1, 2))

    def test_no_state_after_a_notice_where_the_latest_may_be_one_that_was_not_asked_for(self):
        story = Story().add("C", pairs={"color": ["red"]}).publish(1, color="red").get(1).publish(2, answered=False, color="blue")
        self.accepts(story.tell_missed(3))

    def test_no_more_than_what_waits_after_a_notice(self):
        self.accepts(Story().add().publish(1).publish(2).tell_missed(3).get(1, 2))

    def test_a_notice_without_an_answer_has_come_or_has_not(self):
        self.accepts(Story().add().publish(1).get(1).tell_missed(2, answered=False).get(1))
        self.accepts(Story().add().publish(1).get(1).tell_missed(2, answered=False))

    def test_only_what_was_asked_for(self):
        self.accepts(Story().add("C", pairs={"color": ["red"]}).publish(1, color="red").publish(2, color="blue").get(1))

    def test_no_state_where_the_latest_of_the_kind_was_not_asked_for(self):
        self.accepts(Story().publish(1, color="red").publish(2, color="blue").add("C", pairs={"color": ["red"]}))

    def test_no_state_where_what_took_its_place_was_not_asked_for(self):
        asks_for_red = {"pairs": {"color": ["red"]}}
        self.accepts(Story().publish(1, color="red").publish(2, color="blue", answered=False).add(**asks_for_red))
        self.accepts(Story().publish(1, color="red").add(**asks_for_red).get(1, whole=False, what=RESET).publish(2, color="blue"))
        self.accepts(Story().add(**asks_for_red).publish(1, color="red").get(1).tell_missed(2).publish(3, color="blue"))

    def test_the_state_again_soon_after_it_came_in_its_turn_where_a_standby_has_told_of_the_notice(self):
        story = Story().add().publish(1).tell_missed(9)
        acknowledged = story.now
        for started in (acknowledged + 1.2, acknowledged + 1.6):
            story.note(client="c", started=started, ended=started + 0.1, what=READ, document=story.events[1])
        story.now += 2
        self.accepts(story)

    def test_the_state_again_where_the_first_came_while_it_was_added(self):
        story = Story().add().publish(1).say("REMOVE_EVENTS", "C").say("ADD_EVENTS", "C")
        for started in (story.now + 0.1, story.now + 0.6):
            story.note(client="c", started=started, ended=started + 0.1, what=READ, document=story.events[1])
        self.accepts(story)

    def test_nothing_after_a_removal(self):
        self.accepts(Story().add().publish(1).say("REMOVE_CLIENT").publish(2).add().get(2))

    def test_what_came_before_the_answer_to_a_removal(self):
        story = Story().add().publish(1).say("REMOVE_CLIENT")
        story.history.append({"client": "c", "started": story.now - 0.5, "ended": story.now + 1, "what": READ, "document": story.events[1]})
        self.accepts(story)

    def test_the_first_state_of_a_client_that_registers_again_comes_before_the_answer(self):
        story = Story().add().publish(1).publish(2).publish(3, subclass="T").add()
        story.history.append({"client": "c", "started": story.now - 0.5, "ended": story.now, "what": READ, "document": story.events[2]})
        self.accepts(story.get(3))

    def test_a_removal_by_the_server(self):
        story = Story().add().publish(1)
        self.accepts(story.note(client="c", removed=story.tick(), since=story.now - 1).publish(2).add().get(2))


class WhatMustNotBe(unittest.TestCase):
    def finds(self, words, story):
        found = violations(story.settle().history)
        self.assertTrue(any(words in one for one in found), found)

    def test_a_lost_event(self):
        self.finds("never got 2", Story().add().publish(1).publish(2).get(1))

    def test_a_skipped_event(self):
        self.finds("did not get 1 (1), but later ones", Story().add().publish(1).publish(2).get(2))

    def test_an_event_that_was_skipped_before_the_client_registered_again(self):
        self.finds("did not get 1", Story().add().publish(1).publish(2, subclass="T").get(2).add().get(1, 2))

    def test_a_wrong_order(self):
        self.finds("got 1 (1) after 2 (2)", Story().add().publish(1).publish(2, subclass="T").get(2, 1))

    def test_an_older_event_that_comes_after_a_failover_for_the_first_time(self):
        self.finds("got 1 (1) after 2 (2)", Story().add().publish(1).publish(2).get(2).restart().get(1, 2))

    def test_an_older_event_of_before_it_was_asked_for_from_the_same_server(self):
        self.finds("newer of its kind", WhatMayBe.ASKED_LATER().get(1))

    def test_the_same_again_for_no_reason(self):
        self.finds("again", Story().add().publish(1).get(1, 1))

    def test_half_a_document(self):
        self.finds("no whole document", Story().add().publish(1).get(1, whole=False).get(1))

    def test_two_at_once(self):
        self.finds("two connections at once", Story().add().publish(1).publish(2).get(1, lasting=1.5).get(2))

    def test_what_was_not_asked_for(self):
        self.finds("had not asked for", Story().add().publish(1, event_class="D").get(1))
        self.finds("had not asked for", Story().add("C/T").publish(1).get(1))
        self.finds("had not asked for", Story().add("C", pairs={"color": ["red"]}).publish(1, color="blue").get(1))

    def test_what_is_not_asked_for_any_more(self):
        self.finds("had not asked for", Story().add("C", "D").say("REMOVE_EVENTS", "C").publish(1).get(1))

    def test_what_nobody_published(self):
        story = Story().add().publish(1)
        story.events[2] = document("2")
        self.finds("nobody published", story.get(1, 2))

    def test_a_document_that_was_changed(self):
        story = Story().add().publish(1, color="red")
        story.events[1] = document("1", color="blue")
        self.finds("nobody published", story.get(1))

    def test_a_missing_state(self):
        self.finds("the state at ADD_CLIENT", Story().publish(1).add())
        self.finds("the state at ADD_EVENTS", Story().publish(1, event_class="D").add().say("ADD_EVENTS", "D"))

    def test_a_missing_state_after_an_older_event_without_an_answer(self):
        story = Story().add(client="d").publish(1, answered=False).get(1, client="d").publish(2).get(2, client="d")
        self.finds("did not get 2, the state at ADD_CLIENT", story.add().publish(3, subclass="T").get(3).get(3, client="d").add().get(2, 3))

    def test_a_missing_state_that_was_followed_when_it_should_have_been_there_already(self):
        story = Story().publish(1).add().publish(2, subclass="T").get(2).publish(3)
        self.finds("did not get 1, the state at ADD_CLIENT", story.add().get(2, 3))

    def test_a_lost_notice_after_an_event_that_was_never_published(self):
        story = Story().add().add(client="d").publish(9, answered=False).publish(1).get(1).get(1, client="d")
        self.finds("after the notice 8", story.tell_missed(8).get(1, client="d"))

    def test_an_event_without_an_answer_that_only_others_got(self):
        story = Story().add().add(client="d").publish(1, answered=False).publish(2)
        self.finds("c: never got 1, which others got", story.get(1, 2, client="d").get(2))

    def test_an_older_state_without_an_answer(self):
        story = Story().add(client="d").publish(1, answered=False).get(1, client="d").publish(2).get(2, client="d")
        self.finds("c: did not get 2, the state at ADD_CLIENT", story.add().get(1))

    def test_a_missing_state_of_what_was_given_back_and_added_again(self):
        self.finds("the state at ADD_EVENTS", Story().add().publish(1).get(1).say("REMOVE_EVENTS", "C").say("ADD_EVENTS", "C"))

    def test_the_state_in_a_wrong_order(self):
        self.finds("got 1 (1) after 2 (2)", Story().publish(1).publish(2, subclass="T").add().get(2, 1))

    def test_an_event_without_an_answer_after_what_was_published_before_it(self):
        story = Story().add().publish(1).publish(2, subclass="T", answered=False)
        self.finds("2: clients got it at different places", story.get(2, 1))

    def test_a_number_that_is_less_than_one_before(self):
        self.finds("1 has the number 1, which is not above", Story().publish(2).publish(1))

    def test_an_old_state(self):
        self.finds("an old state", Story().publish(1).publish(2).add().get(1))

    def test_a_state_that_comes_after_newer_events(self):
        self.finds("after events that were published later", Story().publish(1, subclass="T").add().publish(2).get(2, 1))

    def test_a_state_that_the_client_had_before_it_asked_for_more(self):
        self.finds("again", Story().publish(1).publish(2, event_class="D").add().get(1).say("ADD_EVENTS", "D").get(1, 2))

    def test_a_collapse_without_the_current_state(self):
        self.finds("did not get 2", Story().add().publish(1).publish(2).publish(3, subclass="T").collapse().get(3))

    def test_a_notice_without_the_current_state(self):
        self.finds("after the notice 3", Story().add().publish(1).publish(2, subclass="T").get(1, 2).tell_missed(3).get(2))

    def test_a_notice_that_a_new_server_has_forgotten(self):
        self.finds("after the notice 2", Story().add().publish(1).get(1).tell_missed(2).restart())

    def test_a_lost_notice_before_another_one(self):
        story = Story().publish(1, subclass="L").add().get(1).tell_missed(2).restart().publish(3).get(3)
        self.finds("published after the notice 2", story.tell_missed(4).get(1, 3))

    def test_what_was_published_after_a_notice_before_the_state(self):
        self.finds("before 1", Story().publish(1, subclass="L").add().get(1).tell_missed(2).publish(3).get(3, 1))

    def test_a_state_that_is_none_any_more_after_a_notice(self):
        self.finds("again", Story().add().publish(1).publish(2).get(1, 2).tell_missed(3).get(2, 1))

    def test_the_state_twice_after_a_notice(self):
        self.finds("again", Story().add().publish(1).get(1).tell_missed(2).get(1, 1))
        self.finds("again", Story().add().publish(1).get(1).tell_missed(2, answered=False).get(1, 1))

    def test_twice_again_after_one_failover(self):
        self.finds("again", Story().add().publish(1).get(1).restart().get(1, 1))

    def test_the_same_again_before_a_notice(self):
        self.finds("again", Story().add().publish(1).get(1, 1).tell_missed(2).get(1))

    def test_a_connection_after_a_removal(self):
        self.finds("not registered", Story().add().publish(1).say("REMOVE_CLIENT").get(1))
        self.finds("not registered", Story().add().publish(1).say("REMOVE_CLIENT").get(1, whole=False, what=RESET))

    def test_a_connection_to_somebody_who_never_registered(self):
        self.finds("not registered", Story().publish(1).get(1))

    def test_a_connection_after_a_removal_by_the_server(self):
        story = Story().add().publish(1)
        self.finds("not registered", story.note(client="c", removed=story.tick(), since=story.now - 1).get(1))

    def test_two_orders_of_an_event_without_an_answer(self):
        story = Story().add().add(client="d").publish(1, answered=False).publish(2, subclass="T")
        self.finds("different places", story.get(1, 2).get(2, 1, client="d"))

    def test_one_number_for_two_events(self):
        story = Story().add().publish(1).get(1)
        story.history.append({**story.history[1], "event": document("other")})
        self.finds("have the number 1", story)


EVENT = (b'<?xml version="1.0" encoding="UTF-8"?><SC_EVENT VERSION="1.0" CLASS="C" SUBCLASS="S" VENDOR="V" PUBLISHER="P">'
         b"<NVPAIR><NAME>serial</NAME><VALUE>7</VALUE></NVPAIR></SC_EVENT>")


class TheListeners(unittest.TestCase):
    def setUp(self):
        self.listeners = Listeners()
        self.addCleanup(self.listeners.close)

    def deliver(self, listener, document_=EVENT):
        """As a server does it; true when the peer took everything and closed in good order."""
        try:
            with connect(("127.0.0.1", listener.port)) as connection:
                connection.sendall(document_)
                connection.shutdown(socket.SHUT_WR)
                return connection.recv(1) == b""
        except ConnectionRefusedError:
            raise
        except OSError:
            return False

    def test_a_document_is_taken_and_parsed(self):
        listener = self.listeners.open()
        self.assertTrue(self.deliver(listener))
        self.assertEqual(listener.wait_for(1), ["7"])
        self.assertEqual(listener.documents[0], {**parse(EVENT), "vendor": "V", "publisher": "P", "version": "1.0"})

    def test_half_a_document_is_none(self):
        listener = self.listeners.open()
        self.assertTrue(self.deliver(listener, EVENT[:-1]))
        self.assertEqual([entry["document"] for entry in listener.entries], [None])

    def test_a_delay(self):
        listener = self.listeners.open(reading_after(0.2, 0.2))
        self.deliver(listener)
        entry = listener.entries[0]
        self.assertGreaterEqual(entry["ended"] - entry["started"], 0.2)

    def test_a_reset_and_a_half_read_document_are_failures(self):
        for what in (RESET, HALF):
            listener = self.listeners.open(always(what))
            self.assertFalse(self.deliver(listener))
            wait_for(lambda one=listener: one.entries, "the entry")
            self.assertIsNone(listener.entries[0]["document"])

    def test_one_that_never_reads_is_never_done(self):
        listener = self.listeners.open(always(NEVER))
        with connect(("127.0.0.1", listener.port), patience=0.2) as connection:
            connection.sendall(EVENT)
            self.assertRaises(TimeoutError, connection.recv, 1)

    def test_a_dead_port_refuses_until_it_comes_back(self):
        listener = self.listeners.dead()
        with self.assertRaises(ConnectionRefusedError):
            self.deliver(listener)
        listener.revive()
        self.assertTrue(self.deliver(listener))

    def test_whatever_was_connected_before_a_sweep_is_accepted_then(self):
        listener = self.listeners.open(always(NEVER))
        peers = [connect(("127.0.0.1", listener.port), patience=PATIENCE) for _ in range(50)]
        self.listeners.sweep()
        self.assertEqual(self.listeners.accepted[listener.client], 50)
        for peer in peers:
            peer.close()

    def test_the_serial_is_found(self):
        self.assertEqual(serial_of(parse(EVENT)), "7")


if __name__ == "__main__":
    unittest.main()
