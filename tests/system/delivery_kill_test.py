# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""The active server is killed at random while events are published and clients come and go: every acknowledged event
reaches every client that was registered before, in order, and nobody hears of one after its removal.

CRNPD_TEST_KILLS and CRNPD_TEST_SEED set the number of kills and the schedule. A failed run leaves its history
in the temporary folder of the system and says where.
"""
import json
import os
import random
import tempfile
import threading
import time
import unittest

from cluster import Cluster
from delivery_checker import violations
from delivery_history import NOTICE
from delivery_ledger import Ledger, wish
from etcd_cluster import free_port
from harness import LONG, PATIENCE, Server, wait_for
from listeners import Listeners, moody, reading, reading_after, serial_of

KILLS = int(os.environ.get("CRNPD_TEST_KILLS", 300 if LONG else 20))
TYPES = ["S", "T", "U"]
STUBBORN = {"client_retry_count": 100, "client_retry_interval": "30s"}


class Load:
    """Publishers and clients at work, a thread each."""

    PUBLISHERS, STEADY, RESTLESS = 3, 12, 6
    CLASS = "C"  # of all events
    KINDS = [reading, reading_after(0.01, 0.03), lambda chance: moody(chance, good=0.97)]
    # A publisher's burst, so that clients have something waiting when the server is killed, and the pause after it, in which
    # those get along that fail, which costs a second each time.
    BURST, PAUSE = 8, 1
    # After so many bursts of a publisher comes its notice that events may have been missed.
    NOTICES = 5
    # Nor more than they can take: else a long run ends with more waiting for them than they get while the test waits.
    MOST_BEHIND = 100

    def __init__(self, ledger, servers, addresses, seed):
        self.ledger, self.servers, self.addresses, self.seed = ledger, servers, addresses, seed
        self.steady = [ledger.listeners.open(self.KINDS[i % len(self.KINDS)]) for i in range(self.STEADY)]
        self.restless = [ledger.listeners.open(self.KINDS[i % len(self.KINDS)]) for i in range(self.RESTLESS)]
        self.over, self.acknowledged, self.failures = threading.Event(), 0, []
        # What no later event replaces is what shows that a notice brings the state.
        wait_for(lambda: ledger.publish(servers, self.CLASS, "lasting"), "the first event")
        for listener in self.steady:
            ledger.say_until("OK", addresses, listener, "ADD_CLIENT", wish(self.CLASS))
        work = [(self.publish, i) for i in range(self.PUBLISHERS)] + [(self.come_and_go, one) for one in self.restless]
        self.threads = [threading.Thread(target=self._run, args=task, daemon=True) for task in work]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        assert not self.failures, self.failures

    def _run(self, work, what):
        try:
            work(what)
        except Exception as problem:  # pylint: disable=broad-exception-caught
            self.failures.append(repr(problem))

    def publish(self, number):
        chance, servers, bursts = random.Random(f"{self.seed}-{number}"), list(self.servers), 0
        while not self.over.wait(self.PAUSE):
            if any(len(self.ledger.missing(one, [wish(self.CLASS)])) > self.MOST_BEHIND for one in self.steady):
                continue
            for _ in range(self.BURST):
                chance.shuffle(servers)
                if self.ledger.publish(servers, self.CLASS, chance.choice(TYPES)):
                    self.acknowledged += 1
            bursts += 1
            if bursts % self.NOTICES == number:
                self.ledger.tell_missed(servers)

    def come_and_go(self, listener):
        """Each message until it is answered, as docs/protocol.md wants it."""
        chance = random.Random(f"{self.seed}-{listener.port}")
        while not self.over.wait(chance.uniform(0, 0.2)):
            verb = chance.choice(["ADD_CLIENT", "ADD_CLIENT", "ADD_EVENTS", "REMOVE_EVENTS", "REMOVE_CLIENT"])
            wishes = [] if verb == "REMOVE_CLIENT" else [wish(self.CLASS, one) for one in chance.sample(TYPES, chance.randrange(1, 3))]
            while self.ledger.say(self.addresses, listener, verb, *wishes, patience=2) not in ("OK", "FAIL"):
                time.sleep(0.01)

    def wait_for_events(self, count):
        """A kill between two of which nothing was promised would break nothing."""
        before = self.acknowledged
        wait_for(lambda: self.acknowledged >= before + count, lambda: f"{count} events; {self.failures}", pause=0.001)

    def wait_for_documents(self, count):
        """A place in the work, not in time."""
        before = len(self.ledger.listeners.history)
        wait_for(lambda: len(self.ledger.listeners.history) >= before + count, lambda: f"{count} connections; {self.failures}", pause=0.001)


class Killed(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get("CRNPD_TEST_SEED", random.randrange(2**32)))
        print(f"# CRNPD_TEST_SEED={self.seed}", flush=True)
        self.chance = random.Random(self.seed)
        self.listeners = Listeners(self.seed)
        self.addCleanup(self.listeners.close)
        self.ledger = Ledger(self.listeners)

    def run_kills(self, servers, addresses, kill, active, said):
        began, load = time.monotonic(), Load(self.ledger, servers, addresses, self.seed)
        try:
            for _ in range(KILLS):
                load.wait_for_events(3)
                load.wait_for_documents(self.chance.randrange(1, 200))
                with self.ledger.restarting():
                    kill()
            load.wait_for_documents(10)
            load.end()
            self.ledger.settle_all(active, Load.CLASS)
            self.ledger.read_roles(servers)
            for server in servers:
                self.assertEqual(server.log("CRNPD-DLV-003", "CRNPD-DLV-004"), [])
            self.assertEqual(violations(self.ledger.history)[:5], [])
        except BaseException:
            load.over.set()
            self.keep(said)
            raise
        self.summarise(load, time.monotonic() - began)

    def summarise(self, load, seconds):
        entries = self.ledger.entries
        whole = [one for one in self.listeners.history if one["document"]]
        notices = sum(one.get("published") is not None and one["event"]["class"] == NOTICE[0] for one in entries)
        silent = sum("published" in one and one["published"] is None for one in entries)
        summary = {"kills": KILLS, "events": load.acknowledged, "without an answer": silent, "documents": len(whole),
                   "repeated": self.repeated(whole), "notices": notices,
                   "failed attempts": len(self.listeners.history) - len(whole), "messages": sum("verb" in one for one in entries),
                   "violations": 0, "seconds": round(seconds), "seed": self.seed}
        print("# " + json.dumps(summary), flush=True)
        # Kills that nobody noticed would have proved nothing.
        self.assertGreater(load.acknowledged, 2 * KILLS)
        self.assertGreater(summary["documents"], 20 * KILLS)
        self.assertGreater(silent + summary["repeated"], 0)
        self.assertGreater(notices, 0)

    @staticmethod
    def repeated(whole):
        """Documents that came again and were the state no more, about: because of a kill, and not of a notice."""
        newest, seen, found = {}, set(), 0
        for one in sorted(whole, key=lambda one: one["started"]):
            what, serial = (one["client"], one["document"]["subclass"]), int(serial_of(one["document"]))
            found += (what, serial) in seen and serial < newest[what]
            seen.add((what, serial))
            newest[what] = max(serial, newest.get(what, 0))
        return found

    def keep(self, said):
        folder = tempfile.mkdtemp(prefix=f"crnpd-delivery-{self.seed}-")
        with open(f"{folder}/history.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in self.ledger.history)
        with open(f"{folder}/servers.log", "w", encoding="utf-8") as file:
            file.write(said())
        print(f"# history and logs are in {folder}", flush=True)

    def test_the_embedded_store(self):
        with Server(listen=[f"127.0.0.1:{free_port()}"], log={"level": "warn"}, **STUBBORN) as server:
            def kill():
                server.kill()
                server.restart()

            self.run_kills([server], server.addresses(), kill, lambda: server, server.said)

    def test_the_replicated_store(self):
        """Events are published on servers that stand by, too."""
        with Cluster(lease=1, **STUBBORN) as cluster:
            def kill():
                cluster.kill(cluster.active())
                cluster.start()

            self.run_kills(cluster.nodes, cluster.addresses, kill, cluster.active, cluster.said)


if __name__ == "__main__":
    unittest.main()
