# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""What tests of delivery have in common: a server, listeners, and a history that is judged at the end."""
import unittest

from delivery_checker import violations
from delivery_ledger import Ledger, wish
from etcd_cluster import free_port
from harness import Server
from listeners import Listeners

# Enough attempts for any listener of bad mood; the i-th comes after interval^(i / (count - 1)) seconds.
STUBBORN = {"client_retry_count": 100, "client_retry_interval": "60s"}


class Delivery(unittest.TestCase):
    settings = STUBBORN

    def setUp(self):
        self.listeners = Listeners(seed=1)
        self.addCleanup(self.listeners.close)
        self.ledger = Ledger(self.listeners)
        self.serve(**self.settings)

    def serve(self, **settings):
        """The port stays the same over a restart."""
        self.server = Server(**{"listen": [f"127.0.0.1:{free_port()}"], **settings})
        self.addCleanup(self.server.close)
        self.addresses = self.server.addresses()

    def add(self, listener, *wishes, verb="ADD_CLIENT"):
        self.assertEqual(self.ledger.say(self.addresses, listener, verb, *(wishes or [wish("C")])), "OK")
        return listener

    def publish(self, event_class="C", subclass="S", **pairs):
        number = self.ledger.publish([self.server], event_class, subclass, **pairs)
        self.assertIsNotNone(number, self.server.said())
        return number

    def check(self, until=lambda: True):
        self.ledger.settle(until)
        self.assertEqual(violations(self.ledger.history)[:5], [])

    def show(self, listener):
        return self.server.ask(request="client-show", client=listener.client)[0]
