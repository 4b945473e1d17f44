# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""The active server stands still for longer than its lease and goes on: nothing that it had still to send is begun, because
another one leads by then, and may have removed the client or told it what is newer."""
import os
import signal
import unittest

from cluster import Cluster
from delivery_case import STUBBORN
from delivery_checker import violations
from delivery_ledger import Ledger, wish
from harness import wait_for
from listeners import Listeners

# Each has something to get when the server goes on, all at once: it cannot hear of its end before it comes to the first.
CLIENTS = 50


class Paused(unittest.TestCase):
    def setUp(self):
        self.listeners = Listeners(seed=1)
        self.addCleanup(self.listeners.close)
        self.ledger = Ledger(self.listeners)
        self.cluster = Cluster(nodes=2, members=1, lease=2, **STUBBORN)
        self.addCleanup(self.cluster.close)
        self.active = self.cluster.active()
        self.other, = self.cluster.standbys()
        self.clients = [self.listeners.open() for _ in range(CLIENTS)]
        for listener in self.clients:
            self.ledger.say_until("OK", [self.active.listens_on], listener, "ADD_CLIENT", wish("C"))
            listener.die()
        self.assertIsNotNone(self.ledger.publish([self.active]))
        # The next attempt comes a second after the one that failed.
        self.active.wait_for_log("CRNPD-DLV-002", count=CLIENTS)

    def paused(self, meanwhile):
        """Until the other one leads and `meanwhile` has happened there; all listen again by then."""
        with self.ledger.restarting():
            os.kill(self.active.pid, signal.SIGSTOP)
            try:
                wait_for(self.other.is_active, "the takeover")
                meanwhile()
            finally:
                os.kill(self.active.pid, signal.SIGCONT)
            self.active.wait_until_standby()

    def accepted(self):
        self.listeners.sweep()
        return sum(self.listeners.accepted.values())

    def test_no_client_that_was_removed_meanwhile_hears_of_it(self):
        def leave():
            for listener in self.clients:
                self.ledger.say_until("OK", [self.other.listens_on], listener, "REMOVE_CLIENT")
                listener.revive()

        self.paused(leave)
        self.assertEqual(self.accepted(), 0)

    def test_nobody_gets_an_older_event_after_what_is_newer(self):
        def catch_up():
            for listener in self.clients:
                listener.revive()
            self.assertIsNotNone(self.ledger.publish([self.other]))
            wait_for(lambda: self.other.ask(request="events")[0]["behind"] == 0, "all deliveries")
            self.before = self.accepted()

        self.paused(catch_up)
        self.assertEqual(self.accepted(), self.before)
        self.ledger.settle()
        self.assertEqual(violations(self.ledger.history), [])
        for listener in self.clients:
            self.assertEqual(listener.serials[-1], "2")


if __name__ == "__main__":
    unittest.main()
