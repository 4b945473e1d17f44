# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""etcd without a majority, without space, with its history forgotten, with a member replaced: clients get no untrue
answer, the servers say what is wrong, and go on when it is over."""
import os
import signal
import time
import unittest

from checker import fencing_violations, violations
from cluster import Cluster
from harness import LONG, event, message, wait_for
from ledger import Crew, LedgerClient

TIMES = 20 if LONG else 1
MIB = 2**20


class Trouble(unittest.TestCase):
    def make_cluster(self, **settings):
        cluster = Cluster(**settings)
        self.addCleanup(cluster.close)
        return cluster

    def client(self, cluster, port=2001, patience=3):
        return LedgerClient(port, port, cluster.addresses, patience)

    def send(self, client, verb, *events):
        """One round of all addresses; what the client was told."""
        return client.attempt(verb, list(events))

    def agree(self, cluster, *clients):
        for client in clients:
            client.look(cluster.settled())
        self.assertEqual(violations([entry for client in clients for entry in client.history]), [])
        self.assertEqual(fencing_violations(cluster.changes()), [])


class Majority(Trouble):
    def test_without_a_majority_nobody_is_active_and_all_say_why(self):
        cluster = self.make_cluster(store={"commit_limit": "2s"})
        client = self.client(cluster)
        for _ in range(TIMES):
            self.assertEqual(self.send(client, "ADD_CLIENT", "A"), "OK")
            cluster.etcd.stop_majority()
            self.assertNotEqual(self.send(client, "ADD_EVENTS", "B"), "OK")
            for node in cluster.nodes:
                node.wait_until(lambda status: status["role"] == "standby" and "etcd" in status["why"])
                self.assertNotEqual(node.role()[1], 0)
                self.assertIn("etcd", node.crnpctl("status").stdout.decode())
            self.assertIsNone(self.send(client, "ADD_EVENTS", "C"))
            cluster.etcd.bring_back()
            began = time.monotonic()
            self.agree(cluster, client)
            print(f"# active {time.monotonic() - began:.1f} s after the majority was back")
            self.assertEqual(self.send(client, "ADD_EVENTS", "D"), "OK")
            self.agree(cluster, client)

    def test_a_load_survives_it(self):
        cluster = self.make_cluster(log={"level": "warn"})
        with Crew(cluster.addresses, seed=1) as crew:
            for _ in range(TIMES):
                crew.go()
                crew.wait_for_answers(200)
                cluster.etcd.stop_majority()
                # Long enough for the lease to be lost, and not a moment shorter: nobody is active any more.
                wait_for(lambda: not any(node.is_active() for node in cluster.nodes), "the end of the leadership")
                cluster.etcd.bring_back()
                crew.wait_for_answers(200)
                crew.hold()
                self.agree(cluster, *crew.clients)

    def test_the_loss_of_one_member_is_hardly_noticed(self):
        """The lease outlasts an election of etcd, so whoever is active stays so."""
        cluster = self.make_cluster(lease=3)
        client = self.client(cluster)
        active = cluster.settled()
        for turn in range(6 * TIMES):
            member = cluster.etcd.leader() if turn % 2 else cluster.etcd.members[turn // 2 % 3]
            member.kill()
            began = time.monotonic()
            wait_for(lambda: self.send(client, "ADD_EVENTS" if client.history else "ADD_CLIENT", "A") == "OK", "an OK")
            took = time.monotonic() - began
            print(f"# {'leader' if turn % 2 else 'member'} of etcd killed: {took * 1000:.0f} ms to the next OK")
            cluster.etcd.bring_back()
        self.agree(cluster, client)
        self.assertIs(cluster.active(), active)


class Space(Trouble):
    def test_without_space_clients_get_low_resource_until_there_is_some(self):
        cluster = self.make_cluster(quota=16 * MIB)
        client = self.client(cluster)
        for _ in range(TIMES):
            self.assertEqual(self.send(client, "ADD_CLIENT", "A"), "OK")
            cluster.etcd.fill_up()
            self.assertEqual(self.send(client, "ADD_EVENTS", "B"), "LOW_RESOURCE")
            client.look(cluster.active())
            cluster.etcd.make_room()
            self.assertEqual(self.send(client, "ADD_EVENTS", "C"), "OK")
            self.agree_without_history(cluster, client)

    def test_a_takeover_without_space_waits_for_it_and_says_so(self):
        """A lease cannot be granted then."""
        cluster = self.make_cluster(quota=16 * MIB)
        client = self.client(cluster)
        self.assertEqual(self.send(client, "ADD_CLIENT", "A"), "OK")
        for node in cluster.standbys():
            node.stop()
        cluster.etcd.fill_up()
        active = cluster.active()
        cluster.kill(active)
        active.start()
        active.wait_until(lambda status: status["role"] == "standby" and "space" in status["why"])
        cluster.etcd.make_room()
        wait_for(lambda: self.send(client, "ADD_EVENTS", "B") == "OK", "an OK once there is room")
        self.agree_without_history(cluster, client)

    def agree_without_history(self, cluster, client):
        client.look(cluster.active())
        self.assertEqual(violations(client.history), [])


class History(Trouble):
    def test_a_standby_that_missed_what_etcd_forgot_reads_everything_anew(self):
        cluster = self.make_cluster()
        for _ in range(TIMES):
            active, (standby, third) = cluster.settled(), cluster.standbys()
            third.stop()
            os.kill(standby.pid, signal.SIGSTOP)
            try:
                # Its connections end while it sleeps, so it has to ask for what it missed.
                for member in list(cluster.etcd.members):
                    member.stop()
                    member.start().wait_until_healthy()
                expected = {}
                for port in range(1, 51):
                    wait_for(lambda port=port: cluster.code(message("ADD_CLIENT", port, event(f"C{port}"))) == "OK", "an OK")
                    expected[port] = [f"C{port}"]
                cluster.etcd.compact()
            finally:
                os.kill(standby.pid, signal.SIGCONT)
            self.assertIs(cluster.settled(), active)
            cluster.kill(active)
            self.assertIs(cluster.settled(), standby)
            self.assertEqual({port: standby.registrations(port) for port in expected}, expected)
            cluster.start()


class Replacement(Trouble):
    def test_a_member_is_replaced_under_load(self):
        cluster = self.make_cluster(log={"level": "warn"})
        with Crew(cluster.addresses, seed=2) as crew:
            for turn in range(2 * TIMES):
                crew.go()
                crew.wait_for_answers(50)
                leader = cluster.etcd.leader()
                cluster.etcd.replace(leader if turn % 2 else next(one for one in cluster.etcd.members if one is not leader))
                crew.wait_for_answers(50)
                crew.hold()
                self.agree(cluster, *crew.clients)


if __name__ == "__main__":
    unittest.main()
