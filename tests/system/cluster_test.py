# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Three servers on three members of etcd: who is active, how it changes, and what clients get meanwhile."""
import json
import os
import signal
import time
import unittest

from cluster import Cluster
from harness import SANITIZED, Server, connect, crnpctl, event, message, parse_reply, read_to_end, wait_for

SECOND = 10 if SANITIZED else 1


class WithCluster(unittest.TestCase):
    """One cluster for all tests of a class: each leaves it with all its servers and members at work."""

    SETTINGS = {}

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(**cls.SETTINGS)
        cls.addClassCleanup(cls.cluster.close)

    def setUp(self):
        self.cluster.etcd.bring_back()
        self.cluster.start()
        self.active = self.cluster.active()
        self.others = self.cluster.standbys()

    def registrations_are(self, expected):
        """{port: registrations or None} as the active server has them."""
        active = self.cluster.settled()
        self.assertEqual({port: active.registrations(port) for port in expected}, expected)


class Roles(WithCluster):
    def test_one_is_active_and_the_others_say_for_whom_they_stand_by(self):
        for node in self.others:
            status = node.status()
            self.assertEqual((status["role"], status["listen"]), ("standby", []))
            self.assertIn(str(self.active.pid), status["leader"])
            self.assertIn(str(self.active.pid), node.crnpctl("status").stdout.decode())
        status = self.active.status()
        self.assertEqual((status["role"], status["store"]["kind"]), ("active", "etcd"))
        self.assertGreater(status["term"], 0)

    def test_the_role_is_an_exit_status(self):
        self.assertEqual(self.active.role(), ("active", 0))
        for node in self.others:
            word, status = node.role()
            self.assertEqual(word, "standby")
            self.assertNotEqual(status, 0)
        self.others[0].stop()
        self.assertNotEqual(self.others[0].role()[1], 0)

    def test_clients_of_the_active_one_are_known_to_whoever_takes_over(self):
        self.assertEqual(self.active.code("ADD_CLIENT", 1, event("A"), event("B", n=["x", "y"])), "OK")
        self.assertEqual(self.active.code("ADD_CLIENT", 2), "OK")
        self.assertEqual(self.active.code("REMOVE_CLIENT", 2), "OK")
        self.cluster.kill(self.active)
        self.assertEqual(self.cluster.code(message("REMOVE_CLIENT", 2)), "OK")
        self.assertEqual(self.cluster.code(message("REMOVE_CLIENT", 3)), "FAIL")
        self.registrations_are({1: ["A", "B:n=x|y"], 2: None, 3: None})
        self.assertIsNot(self.cluster.active(), self.active)

    def test_an_orderly_stop_hands_over_at_once(self):
        begin = time.monotonic()
        os.kill(self.active.pid, signal.SIGTERM)
        took = self.cluster.first_ok(message("ADD_CLIENT", 10), begin, but=self.active)
        self.assertEqual(self.active.process.wait(30), 0)
        print(f"# stopped: {took * 1000:.0f} ms to the first OK")
        self.assertLess(took, SECOND)

    def test_a_crash_with_the_helper_is_taken_over_within_a_second(self):
        begin = time.monotonic()
        said = self.cluster.kill(self.active)
        took = self.cluster.first_ok(message("ADD_CLIENT", 11), begin)
        self.assertIn("the lease was revoked", said)
        print(f"# killed, lease revoked: {took * 1000:.0f} ms to the first OK")
        self.assertLess(took, SECOND)

    def test_a_crash_without_it_after_the_lease(self):
        begin = time.monotonic()
        self.cluster.kill(self.active, helper=False)
        took = self.cluster.first_ok(message("ADD_CLIENT", 12), begin)
        print(f"# killed, lease of {self.cluster.lease} s left alone: {took * 1000:.0f} ms to the first OK")
        self.assertLess(took, self.cluster.lease + 4 * SECOND)

    def test_the_helper_leaves_a_server_alone_that_runs(self):
        """Its lease is revoked only after its end; a standby has none that anybody would miss."""
        for node in self.others:
            node.stop()
            run = node.revoke_lease()
            self.assertEqual((run.returncode, run.stdout), (0, b""))
        self.assertEqual(self.cluster.active(), self.active)
        self.assertEqual(self.active.code("ADD_CLIENT", 13), "OK")

    def test_step_down_hands_over_and_the_server_stands_by(self):
        begin = time.monotonic()
        run = self.active.crnpctl("step-down")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        took = self.cluster.first_ok(message("ADD_CLIENT", 14), begin, but=self.active)
        print(f"# step-down: {took * 1000:.0f} ms to the first OK")
        self.assertLess(took, SECOND)
        self.active.wait_until_standby()
        self.assertIsNot(self.cluster.active(), self.active)

    def test_a_hand_over_answers_retry_to_an_unfinished_message(self):
        with connect(self.active.address) as unfinished:
            unfinished.sendall(message("ADD_CLIENT", 15)[:-5])
            wait_for(lambda: self.active.status()["connections"] == 1, "the connection")
            self.assertEqual(self.active.crnpctl("step-down").returncode, 0)
            self.assertEqual(parse_reply(read_to_end(unfinished)).code, "RETRY")
        self.registrations_are({15: None})

    def test_only_the_active_one_can_step_down(self):
        run = self.others[0].crnpctl("step-down")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("standby", (run.stdout + run.stderr).decode())
        self.assertEqual(self.cluster.active(), self.active)

    def test_step_down_without_anybody_else_comes_back(self):
        for node in self.others:
            node.stop()
        ended = len(self.active.log("CRNPD-NET-002"))
        run = self.active.crnpctl("step-down")
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        self.assertEqual(self.cluster.active(), self.active)
        self.assertEqual(len(self.active.log("CRNPD-NET-002")), ended + 1)

    def test_terms_rise(self):
        before = self.active.status()["term"]
        self.active.crnpctl("step-down")
        wait_for(lambda: self.others[0].is_active() or self.others[1].is_active(), "another active server")
        self.assertGreater(self.cluster.active().status()["term"], before)

    def test_a_paused_server_finds_itself_superseded(self):
        self.assertEqual(self.active.code("ADD_CLIENT", 15, event("A")), "OK")
        os.kill(self.active.pid, signal.SIGSTOP)
        try:
            self.cluster.first_ok(message("ADD_CLIENT", 15, event("B")), but=self.active)
        finally:
            os.kill(self.active.pid, signal.SIGCONT)
        self.active.wait_until_standby()
        self.registrations_are({15: ["B"]})


class Seize(WithCluster):
    SETTINGS = {"lease": 60, "start": False, "store": {"takeover": "seize"}, "nodes": 2}

    def setUp(self):
        """Where one server at a time is started, as Pacemaker does."""

    def test_it_does_not_wait_for_the_lease_of_a_fenced_node(self):
        first, second = self.cluster.nodes
        first.start()
        first.wait_until_active()
        self.assertEqual(first.code("ADD_CLIENT", 1, event("A")), "OK")
        self.cluster.kill(first, helper=False)
        begin = time.monotonic()
        second.start()
        took = self.cluster.first_ok(message("ADD_CLIENT", 2), begin, but=first)
        print(f"# started to seize: {took * 1000:.0f} ms to the first OK")
        self.assertLess(took, 5 * SECOND)
        self.assertEqual(second.registrations(1), ["A"])


class MovingIn(unittest.TestCase):
    def test_a_site_moves_from_sqlite_to_etcd_with_two_commands(self):
        with Server() as old, Cluster(nodes=2) as cluster:
            for port in range(1, 301):
                self.assertEqual(old.code("ADD_CLIENT", port, event("C", "S", n=f"v{port}")), "OK")
            self.assertEqual(old.code("REMOVE_CLIENT", 300), "OK")
            file = old.folder / "dump"

            run = crnpctl("dump", "--socket", old.socket)
            self.assertEqual(run.returncode, 0, run.stderr)
            file.write_bytes(run.stdout)
            run = crnpctl("restore", file, "--socket", cluster.active().socket)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

            for _ in cluster.nodes:
                active = cluster.settled()
                self.assertEqual(active.clients(), old.clients())
                self.assertEqual(active.registrations(299), ["C/S:n=v299"])
                self.assertEqual(active.code("REMOVE_CLIENT", 300), "OK")
                cluster.kill(active)
                cluster.start()
            # And back again, into another kind of store.
            dump = cluster.settled().crnpctl("dump").stdout
            with Server() as third:
                run = crnpctl("restore", "-", "--socket", third.socket, stdin=dump)
                self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
                self.assertEqual(third.clients(), old.clients())

    def test_a_standby_and_a_store_with_clients_are_not_restored_into(self):
        with Cluster(nodes=2) as cluster:
            active, standby = cluster.active(), cluster.standbys()[0]
            self.assertEqual(active.code("ADD_CLIENT", 1), "OK")
            dump = active.crnpctl("dump").stdout
            for node in (active, standby):
                self.assertNotEqual(node.crnpctl("restore", "-", stdin=dump).returncode, 0)
            self.assertEqual(active.clients(), {"127.0.0.1:1": 0})


class StatusForPrograms(WithCluster):
    def test_why_a_server_is_not_active_is_in_the_status(self):
        answer = json.loads(self.others[0].crnpctl("status", "--json").stdout)
        self.assertIn(str(self.active.pid), answer["why"])
        self.assertEqual(json.loads(self.active.crnpctl("status", "--json").stdout).get("why", ""), "")


if __name__ == "__main__":
    unittest.main()
