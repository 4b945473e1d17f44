# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""A publisher says that it may have missed events: everybody gets the current state of what it asked for."""
import unittest

from cluster import Cluster
from delivery_case import STUBBORN, Delivery
from delivery_checker import violations
from delivery_ledger import Ledger, wish
from harness import crnpctl, wait_for
from listeners import Listeners, values


class Missed(Delivery):
    def setUp(self):
        super().setUp()
        for name in ("a", "b", "a"):
            self.publish("EC_Cluster", "ESC_cluster_rg_state", rg_name=name)
        self.one = self.add(self.listeners.open(), wish("EC_Cluster", "ESC_cluster_rg_state", rg_name="a"), wish("end"))
        self.all = self.add(self.listeners.open(), wish("EC_Cluster"), wish("end"))
        self.none = self.add(self.listeners.open(), wish("D"), wish("end"))
        self.one.wait_for(1)
        self.all.wait_for(2)
        self.wait_until_nobody_is_behind()

    def wait_until_nobody_is_behind(self):
        """Nor is the mark. What a listener has, the server may still take for waiting."""
        def is_done():
            told = self.server.ask(request="events")[0]
            return (told["behind"], told["laggards"], told["mark"]) == (0, 0, told["head"])

        wait_for(is_done, lambda: self.server.ask(request="events"))

    def tell(self):
        self.assertIsNotNone(self.ledger.tell_missed([self.server]), self.server.said())

    def expect(self, listener, *serials):
        """All that it ever got before what is published last."""
        self.assertEqual(listener.wait_for(len(serials) + 1), [*serials, self.end])

    def finish(self):
        self.publish("end")
        self.end = self.ledger.entries[-1]["event"]["pairs"][0]["values"][0]

    def test_one_event_of_each_group_and_a_line_in_the_log(self):
        self.tell()
        self.finish()
        self.expect(self.one, "3", "3")
        self.expect(self.all, "2", "3", "2", "3")
        self.expect(self.none)
        self.check()
        line, = self.server.wait_for_log("CRNPD-DLV-011")
        self.assertEqual(line["level"], "warn")
        for words in ("rgm", "a test", "2 clients"):
            self.assertIn(words, line["text"])

    def test_crnpctl_tells(self):
        listener = self.add(self.listeners.open(), wish("EC_crnpd"))
        run = crnpctl("publish", "--missed", "rebooted", "--publisher", "watcher", "--socket", self.server.socket)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stdout.decode(), r"^event \d+ published\n$")
        self.assertIn("watcher in event", self.server.wait_for_log("CRNPD-DLV-011")[0]["text"])
        wait_for(lambda: listener.documents, "the notice itself")
        notice = listener.documents[0]
        self.assertEqual((notice["subclass"], notice["vendor"], notice["publisher"], values(notice, "reason")),
                         ("ESC_crnpd_events_missed", "SUNW", "watcher", ["rebooted"]))

    def test_whoever_had_not_everything_when_the_server_died_is_owed_it_still(self):
        """A notice reaches a client that was away, through two deaths of the server, and it is over once it was followed."""
        self.one.die()
        self.tell()
        self.server.wait_for_log("CRNPD-DLV-011")
        for death in (1, 2):
            with self.ledger.restarting():
                self.server.kill()
                self.server.restart()
            self.server.wait_for_log("CRNPD-DLV-011", count=1 + death)
        self.one.revive()
        self.assertEqual(self.one.wait_for(2), ["3", "3"])
        self.wait_until_nobody_is_behind()
        self.finish()
        self.check(lambda: not any(self.ledger.missing(one, [wish("end")]) for one in (self.one, self.all, self.none)))
        self.assertEqual(self.none.serials, [self.end])

    def test_a_notice_that_everybody_has_followed_is_over(self):
        self.tell()
        self.all.wait_for(4)
        self.one.wait_for(2)
        self.wait_until_nobody_is_behind()
        with self.ledger.restarting():
            self.server.kill()
            self.server.restart()
        self.finish()
        self.expect(self.one, "3", "3")
        self.expect(self.all, "2", "3", "2", "3")
        self.check()
        self.assertEqual(len(self.server.log("CRNPD-DLV-011")), 1)


class MissedOnSeveralNodes(unittest.TestCase):
    def test_a_notice_told_to_a_standby_outlives_the_active_server(self):
        with Listeners(seed=1) as listeners, Cluster(nodes=2, members=1, lease=5, **STUBBORN) as cluster:
            ledger, active = Ledger(listeners), cluster.active()
            standby = next(node for node in cluster.nodes if node is not active)
            standby.wait_until_standby()
            away, here = listeners.open(), listeners.open()
            for listener in (away, here):
                ledger.say_until("OK", cluster.addresses, listener, "ADD_CLIENT", wish("C"))
            self.assertIsNotNone(ledger.publish([standby]))
            away.wait_for(1)
            here.wait_for(1)
            wait_for(lambda: active.ask(request="events")[0].get("behind") == 0, "all deliveries")
            away.die()
            self.assertIsNotNone(ledger.tell_missed([standby]))
            here.wait_for(2)
            with ledger.restarting():
                cluster.kill(active)
                wait_for(standby.is_active, "the takeover")
            self.assertIn("current state", standby.wait_for_log("CRNPD-DLV-011")[0]["text"])
            away.revive()
            away.wait_for(2)
            ledger.settle()
            self.assertEqual(violations(ledger.history), [])


if __name__ == "__main__":
    unittest.main()
