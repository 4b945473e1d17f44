# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Events reach the clients that asked for them: in order, whole, whoever else is slow or dead."""
import json
import random
import select
import unittest

from delivery_case import STUBBORN, Delivery
from delivery_ledger import document_of, wish
from etcd_cluster import free_port
from harness import LONG, SANITIZED, Server, connect, crnpctl, parse_reply, read_to_end, wait_for
from listeners import RESET, Listeners, always, moody, reading, reading_after, values

EVENTS = 1000 if LONG else 30 if SANITIZED else 100
# Two attempts, two seconds apart.
IMPATIENT = {"client_retry_count": 2, "client_retry_interval": "2s"}


class Order(Delivery):
    def test_a_hundred_clients_of_all_kinds_get_everything_in_order(self):
        chance, wishes = random.Random(2), [wish("C")]
        # Each failure costs a second, the least that the schedule of attempts has.
        kinds = [reading, reading_after(0, 0.01), lambda one: moody(one, good=0.95), lambda one: moody(one, good=0.85)]
        clients = [self.add(self.listeners.open(kinds[i % len(kinds)]), *wishes) for i in range(90)]
        dead = [self.add(self.listeners.dead(), *wishes) for _ in range(10)]
        for i in range(EVENTS):
            self.publish(subclass=chance.choice("ST"))
            if i == EVENTS // 2:
                for listener in dead[:5]:
                    listener.revive(moody)
                    self.add(listener, wish("D"), verb="ADD_EVENTS")
        for listener in dead[5:]:
            self.assertEqual(self.ledger.say(self.addresses, listener, "REMOVE_CLIENT"), "OK")
        self.check(lambda: not any(self.ledger.missing(one, wishes) for one in [*clients, *dead[:5]]))
        self.assertEqual(self.listeners.accepted[dead[-1].client], 0)

    def test_numbers_rise_and_the_document_is_what_was_published(self):
        listener = self.add(self.listeners.open())
        first = self.publish(color=["red", "green"], odd="<&>\"' \u00e4")
        self.assertLess(first, self.publish())
        listener.wait_for(2)
        document = listener.documents[0]
        self.assertEqual((document["version"], document["vendor"], document["publisher"]), ("1.0", "SUNW", "rgm"))
        self.assertEqual((values(document, "color"), values(document, "odd")), (["red", "green"], ["<&>\"' \u00e4"]))
        self.check()

    def test_crnpctl_publishes(self):
        listener = self.add(self.listeners.open())
        run = crnpctl("publish", "--class", "C", "--subclass", "S", "--publisher", "me", "--vendor", "us", "--pair", "color=red,green",
                      "--json", "--socket", self.server.socket)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertGreater(json.loads(run.stdout)["sequence"], 0)
        wait_for(lambda: listener.documents, "the event")
        document = listener.documents[0]
        self.assertEqual((document["vendor"], document["publisher"], values(document, "color")), ("us", "me", ["red", "green"]))

    def test_pairs_decide_who_gets_an_event(self):
        red, both = self.listeners.open(), self.listeners.open()
        self.add(red, wish("C", "S", color="red"))
        self.add(both, wish("C", color="red"), wish("C", color="blue"), wish("C", "S"))
        for color in ("red", "blue", "red"):
            self.publish(color=color)
        self.publish(subclass="T", color="green")
        both.wait_for(3)
        red.wait_for(2)
        self.check()
        self.assertEqual((red.serials, both.serials), (["1", "3"], ["1", "2", "3"]))

    def test_nothing_is_started_after_remove_client(self):
        clients = [self.add(self.listeners.open(moody)) for _ in range(20)]
        for i in range(60):
            self.publish()
            if i % 3 == 2:
                listener = clients[i // 3]
                self.assertEqual(self.ledger.say(self.addresses, listener, "REMOVE_CLIENT"), "OK")
        self.check()

    def test_a_restart_in_between_loses_nothing(self):
        alive, dead = self.add(self.listeners.open()), self.add(self.listeners.dead())
        for _ in range(20):
            self.publish()
        with self.ledger.restarting():
            self.server.stop()
            dead.revive()
            self.server.restart()
        self.publish()
        self.check(lambda: not self.ledger.missing(alive, [wish("C")]) and not self.ledger.missing(dead, [wish("C")]))


class InitialEvents(Delivery):
    def setUp(self):
        super().setUp()
        for name in ("a", "b", "a"):
            self.publish("EC_Cluster", "ESC_cluster_rg_state", rg_name=name)
        self.publish("EC_Cluster", "ESC_cluster_r_state", r_name="x")
        self.publish("EC_Cluster", "ESC_cluster_membership", node_list=["n1", "n2"])
        self.listener = self.listeners.open()

    def expect(self, *serials):
        """And nothing else before what is published next."""
        self.publish("EC_Cluster", "end")
        self.assertEqual(self.listener.wait_for(len(serials) + 1)[:-1], list(serials))
        self.check()

    def test_add_client_brings_one_for_each_group_and_resource(self):
        self.add(self.listener, wish("EC_Cluster"))
        self.listener.wait_for(4)
        self.expect("2", "3", "4", "5")

    def test_add_events_brings_that_of_newly_matched_types_only(self):
        end = wish("EC_Cluster", "end")
        self.add(self.listener, wish("EC_Cluster", "ESC_cluster_rg_state", rg_name="a"), end)
        self.listener.wait_for(1)
        self.add(self.listener, wish("EC_Cluster", "ESC_cluster_rg_state"), verb="ADD_EVENTS")
        self.listener.wait_for(2)
        self.expect("3", "2")

    def test_add_events_of_what_it_has_brings_nothing(self):
        self.add(self.listener, wish("EC_Cluster"))
        self.listener.wait_for(4)
        self.add(self.listener, wish("EC_Cluster", "ESC_cluster_r_state"), verb="ADD_EVENTS")
        self.expect("2", "3", "4", "5")

    def test_an_add_client_that_replaces_brings_all_again(self):
        wishes = wish("EC_Cluster", "ESC_cluster_rg_state"), wish("EC_Cluster", "end")
        self.add(self.listener, *wishes)
        self.listener.wait_for(2)
        self.add(self.listener, *wishes)
        self.listener.wait_for(4)
        self.expect("2", "3", "2", "3")

    def test_they_survive_a_restart(self):
        with self.ledger.restarting():
            self.server.stop()
            self.server.restart()
        self.add(self.listener, wish("EC_Cluster"))
        self.assertEqual(self.listener.wait_for(4), ["2", "3", "4", "5"])

    def test_the_reply_comes_before_the_first_event(self):
        """The client does not even read its reply before it has the event."""
        replied = []
        with connect(self.addresses[0]) as registration:
            def behaviour(_chance):
                replied.append(bool(select.select([registration], [], [], 0)[0]))
                return "read", 0

            self.listener.behaviour = behaviour
            registration.sendall(document_of("ADD_CLIENT", self.listener.port, [wish("EC_Cluster")]))
            self.listener.wait_for(4)
            self.assertEqual(parse_reply(read_to_end(registration)).code, "OK")
        self.assertEqual(replied, [True] * 4)


class Removal(Delivery):
    settings = IMPATIENT

    def removed(self, listener, words):
        lines = self.server.wait_for_log("CRNPD-DLV-004")
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(listener.client, lines[0]["text"])
        self.assertRegex(lines[0]["text"], words)
        wait_for(lambda: self.server.registrations(listener.port) is None, "the removal")

    def test_a_dead_client_is_removed_and_may_come_back(self):
        dead, alive = self.add(self.listeners.dead()), self.add(self.listeners.open())
        self.publish()
        self.removed(dead, "refused")
        self.ledger.read_log(self.server)
        self.assertEqual(len(self.server.log("CRNPD-DLV-002")), 2)
        dead.revive()
        self.assertEqual(self.ledger.say(self.addresses, dead, "ADD_EVENTS", wish("D")), "FAIL")
        self.publish()
        self.add(dead)
        self.assertEqual(dead.wait_for(1), ["2"])
        self.check(lambda: not self.ledger.missing(alive, [wish("C")]))

    def test_a_removal_is_durable(self):
        dead = self.add(self.listeners.dead())
        self.publish()
        self.removed(dead, "refused")
        self.server.kill()
        self.server.restart()
        self.assertIsNone(self.server.registrations(dead.port))

    def test_one_that_resets_is_removed(self):
        listener = self.add(self.listeners.open(always(RESET)))
        self.publish()
        self.removed(listener, "reset")
        self.assertEqual(self.listeners.accepted[listener.client], 2)

    def test_one_that_never_reads_is_removed(self):
        self.server.write_config(client_timeout="1s")
        self.assertTrue(self.server.reload())
        listener = self.add(self.listeners.open(always("never")))
        self.publish()
        self.removed(listener, "timed out")

    def test_any_message_starts_the_schedule_anew(self):
        dead = self.add(self.listeners.dead())
        self.publish()
        self.server.wait_for_log("CRNPD-DLV-002")
        dead.revive()
        self.add(dead, wish("D"), verb="ADD_EVENTS")
        dead.wait_for(1, patience=10)
        self.check()
        self.assertEqual(self.server.log("CRNPD-DLV-004"), [])

    def test_fewer_attempts_after_a_reload(self):
        self.server.close()
        self.serve(client_retry_count=100, client_retry_interval="86400s")
        dead = self.add(self.listeners.dead())
        self.server.write_config(**IMPATIENT)
        self.assertTrue(self.server.reload())
        self.publish()
        self.removed(dead, "refused")


class Settings(Delivery):
    def test_the_vendor_changes_with_a_reload(self):
        listener = self.add(self.listeners.open())
        self.publish()
        listener.wait_for(1)
        self.server.write_config(vendor="ORCL")
        self.assertTrue(self.server.reload())
        self.publish()
        listener.wait_for(2)
        self.assertEqual([one["vendor"] for one in listener.documents], ["SUNW", "ORCL"])

    def test_a_queue_that_is_full_becomes_the_current_state(self):
        self.server.close()
        self.serve(**STUBBORN, limits={"queue_events": 10})
        listener = self.add(self.listeners.dead())
        for i in range(40):
            self.publish(subclass="ST"[i % 2])
        self.server.wait_for_log("CRNPD-DLV-003")
        listener.revive()
        self.add(listener, wish("D"), verb="ADD_EVENTS")
        wait_for(lambda: {"39", "40"} <= set(listener.serials), "the current state")
        self.ledger.read_log(self.server)
        self.check()
        self.assertLess(len(listener.serials), 40)

    def test_events_come_from_the_address_that_was_registered_at(self):
        self.server.close()
        self.serve(**STUBBORN, listen=[f"127.0.0.1:{free_port()}", f"127.0.0.2:{free_port()}"])
        for address in reversed(self.addresses):
            listener = self.listeners.open()
            self.assertEqual(self.ledger.say([address], listener, "ADD_CLIENT", wish(address[0])), "OK")
            self.publish(address[0])
            listener.wait_for(1)
            self.assertEqual({one["source"] for one in listener.entries}, {address[0]})
        self.check()

    def test_the_source_address_is_the_same_after_a_restart(self):
        self.server.close()
        self.serve(**STUBBORN, listen=[f"127.0.0.1:{free_port()}", f"127.0.0.2:{free_port()}"])
        listener = self.listeners.open()
        self.assertEqual(self.ledger.say(self.addresses[1:], listener, "ADD_CLIENT", wish("C")), "OK")
        self.server.stop()
        self.server.restart()
        self.publish()
        listener.wait_for(1)
        self.assertEqual({one["source"] for one in listener.entries}, {"127.0.0.2"})

    def test_events_by_ipv6(self):
        self.server.close()
        self.serve(**STUBBORN, listen=[f"[::1]:{free_port()}"])
        listener = self.add(self.listeners.open(host="::1"))
        self.publish()
        listener.wait_for(1)
        self.assertEqual({one["source"] for one in listener.entries}, {"::1"})
        self.check()

    def test_the_source_port_on_request(self):
        self.server.close()
        self.serve(**STUBBORN, bind_source_port=True)
        clients = [self.add(self.listeners.open()) for _ in range(3)]
        for _ in range(5):
            self.publish()
        self.check(lambda: not any(self.ledger.missing(one, [wish("C")]) for one in clients))
        # Later ones may come from any port as long as the system remembers the connection before.
        first = {client.client: client.entries[0]["source_port"] for client in clients}
        self.assertEqual(set(first.values()), {self.addresses[0][1]})


class Seen(Delivery):
    def test_client_show_tells_of_a_client_in_trouble(self):
        """How it is spelled is the affair of docs/protocol.md; that the last error is there is asked here."""
        dead = self.add(self.listeners.dead())
        before = self.show(dead)
        self.publish()
        wait_for(lambda: "refused" in json.dumps(self.show(dead)), lambda: f"the refusal in {self.show(dead)}")
        self.assertTrue(before["ok"])
        run = crnpctl("client", "show", dead.client, "--socket", self.server.socket)
        self.assertIn(b"refused", run.stdout)

    def test_events_tells_the_last_ones(self):
        listener = self.add(self.listeners.open())
        numbers = [self.publish(), self.publish(subclass="T")]
        listener.wait_for(2)
        answer = self.server.ask(request="events")
        for number, subclass in zip(numbers, "ST"):
            self.assertTrue(any(line.get("sequence") == number and line.get("subclass") == subclass for line in answer), answer)
        self.assertIn(str(numbers[1]).encode(), crnpctl("events", "--socket", self.server.socket).stdout)

    def test_a_publisher_that_says_nonsense_is_told_so(self):
        for nonsense in ({}, {"class": "C"}, {"class": "C", "subclass": "S", "pairs": [{"name": "n"}]}, {"class": "\0", "subclass": "S", "pairs": []}):
            answer = self.server.ask(request="publish", event=nonsense)
            self.assertFalse(answer[0]["ok"], nonsense)


if __name__ == "__main__":
    unittest.main()
