# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""One client that never reads and one dead among 1,000 do not slow down the others: their p99 latency of delivery
stays below twice the value without them.

Two servers alike on a store in memory, each with the same 1,000 clients on ports of their own; one of them has the
two troublesome ones besides. They are measured in turns, so that whatever else the machine does meets both, and the
medians of the rounds are compared. The latency is from before publishing to the moment a listener has accepted the
connection; listeners and publisher are a process of their own, the same in both cases.
"""
import os
import shutil
import statistics
import tempfile
import time
import unittest

from delivery_ledger import Ledger, wish
from harness import LONG, Server, allow_descriptors, wait_for
from listeners import NEVER, Listeners, always, serial_of

CLIENTS = 1000
ROUNDS = 15 if LONG else 5
EVENTS = 10  # of a round, one after the other
# No attempt to the two may be given up during the test, and there is one every now and then.
SETTINGS = {"client_timeout": "1s", "client_retry_count": 100, "client_retry_interval": "86400s"}


class Side:
    """A server with its clients."""

    def __init__(self, test, troubled):
        folder = tempfile.mkdtemp(prefix="crnpd-test-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        test.addCleanup(shutil.rmtree, folder)
        self.server = Server(folder, log={"level": "info"}, max_clients=CLIENTS + 10, **SETTINGS)
        test.addCleanup(self.server.close)
        self.listeners = Listeners()
        test.addCleanup(self.listeners.close)
        self.ledger = Ledger(self.listeners)
        self.troublesome = [self.listeners.open(always(NEVER)), self.listeners.dead()] if troubled else []
        self.good = [self.listeners.open() for _ in range(CLIENTS)]
        addresses = self.server.addresses()
        for listener in [*self.troublesome, *self.good]:
            test.assertEqual(self.ledger.say(addresses, listener, "ADD_CLIENT", wish("C")), "OK")
        self.test = test

    def p99(self):
        """Milliseconds, over all clients and events of one round."""
        times, good = [], {listener.client for listener in self.good}
        for _ in range(EVENTS):
            place, began = len(self.listeners.history), time.monotonic()
            self.test.assertIsNotNone(self.ledger.publish([self.server]))
            serial = self.ledger.entries[-1]["event"]["pairs"][0]["values"][0]
            wait_for(lambda place=place: len(self.listeners.history) >= place + CLIENTS, "an event at every client", pause=0.002)
            found = [one for one in self.listeners.history[place:] if one["client"] in good]
            self.test.assertEqual({serial_of(one["document"]) for one in found}, {serial})
            times += [one["started"] - began for one in found]
        times.sort()
        return times[int(len(times) * 0.99)] * 1000


class Fairness(unittest.TestCase):
    def test_the_others_hardly_notice(self):
        self.assertTrue(allow_descriptors(3 * CLIENTS))
        calm, troubled = Side(self, False), Side(self, True)
        for side in (calm, troubled):
            side.p99()  # a warm-up
        quiet, busy = [], []
        for i in range(ROUNDS):
            for side, found in [(calm, quiet), (troubled, busy)][::1 if i % 2 else -1]:
                found.append(side.p99())
        print(f"# p99 of {CLIENTS} clients: {statistics.median(quiet):.1f} ms without, {statistics.median(busy):.1f} ms with one dead "
              "and one that never reads")
        never, _ = troubled.troublesome
        self.assertGreater(troubled.listeners.accepted[never.client], 0, "it was never tried: the test proved nothing")
        self.assertTrue(troubled.server.log("CRNPD-DLV-002"))
        self.assertEqual(troubled.server.log("CRNPD-DLV-004"), [])
        self.assertLess(statistics.median(busy), 2 * statistics.median(quiet))


if __name__ == "__main__":
    unittest.main()
