# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""A server dies at each of its crash points in turn, with clients that write and events on their way; then the service
goes on, by the same server on the same file or by another one on etcd, and all that was promised holds (P1 to P6).

A point that is not reached is an error. CRNPD_TEST_SEED sets at which pass of each point it dies, CRNPD_TEST_POINTS names
the points, where not all are wanted. A failed run leaves its history in the temporary folder of the system and says where.
"""
import json
import os
import random
import signal
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

import checker
import delivery_checker
from cluster import Cluster, Node
from crash_points import BOTH, DEAD, DUMP, ETCD, LEASE, LOAD, NEW_FILE, POINTS, RESTORE, SQLITE, STANDBY, START, STOP
from delivery_kill_test import Load
from delivery_ledger import Ledger, wish
from etcd_cluster import free_port
from harness import BIN, LONG, Server, crnpctl, wait_for
from ledger import Crew
from listeners import Listeners, reading, reading_after
from many_clients import register_many

CRASHING = BIN / "crnpd_crashing"
TURNS = int(os.environ.get("CRNPD_TEST_TURNS", 50 if LONG else 1))
WANTED = os.environ.get("CRNPD_TEST_POINTS", "").split()
# A client whose port is dead is removed at once; of the others no delivery fails but by a crash.
SETTINGS = {"program": CRASHING, "log": {"level": "warn"}, "client_retry_count": 1, "client_retry_interval": "1s"}
# The load comes by each point within a second.
REACHED_WITHIN = 30


def points_of(store, *brought_by):
    return [point for point in POINTS if store in point.stores and point.by in brought_by and (not WANTED or point.name in WANTED)]


def arm(server, point, turn):
    """Its next start is one that ends there, and what it says then is all that its standard error holds."""
    server.env = {"CRNPD_CRASH_AT": f"{point}:{turn}"}
    server.errors.unlink(missing_ok=True)


def wait_until_dead(server, point, patience=REACHED_WITHIN, since=0.0):
    """A moment at which it had not come to its point, just before; `since` if it died before anybody looked. That it has not
    been waited for proves nothing: its connections are closed before, and on a busy machine long before."""
    alive = since

    def ended():
        nonlocal alive
        now = time.monotonic()
        if "crash point" not in server.errors.read_text(encoding="utf-8", errors="replace"):
            alive = now
        return server.process.poll() is not None

    wait_for(ended, lambda: f"the crash point {point}; the server said:\n{server.said()}", patience, pause=0.002)
    server.env = {}
    last = server.errors.read_text(encoding="utf-8", errors="replace").splitlines()[-1:]
    if (server.process.returncode, last) != (-signal.SIGKILL, [f"crash point {point}"]):
        raise AssertionError(f"the server ended with {server.process.returncode} and not at {point}:\n{server.said()}")
    return alive


def is_dead(server):
    return server.process.poll() is not None


def role_of(server):
    """None where it does not answer."""
    status = server.status()
    return status and status["role"]


def is_active(server):
    status = server.status()
    return bool(status and status["role"] == "active" and status["listen"])


class CrashLoad(Load):
    """Events of a class that no client of the crew asks for, because nobody listens at their ports."""

    PUBLISHERS, STEADY, RESTLESS = 2, 4, 2
    BURST, PAUSE = 2, 0.05
    CLASS = "N"
    KINDS = [reading, reading_after(0.001, 0.01)]


class Story:
    """Servers under load which die and come back; what its subclasses know is who goes on."""

    def __init__(self, servers, addresses, seed):
        self.servers, self.addresses, self.chance = servers, addresses, random.Random(seed)
        self.listeners = Listeners(seed)
        self.ledger = Ledger(self.listeners)
        self.load = CrashLoad(self.ledger, servers, addresses, seed)
        self.crew = Crew(addresses, seed, count=4)
        self.crew.go()
        self.crashes, self.dead = [], 0

    def close(self):
        self.load.over.set()
        self.crew.__exit__()
        for thread in self.load.threads:
            thread.join(5)  # where nobody answers any more they go on asking
        self.listeners.close()

    def crash(self, point):
        turn = self.chance.randint(1, point.most)
        self.crashes.append({"point": point.name, "pass": turn, "began": time.monotonic()})
        if point.by == STANDBY:
            standby = self.standby(point.name, turn)
            wait_until_dead(standby, point.name)
        else:
            began = time.monotonic()
            armed = self.activate(point, turn)
            self.interrupted(began)
            provoked = time.monotonic()
            left_over = self.provoke(point, armed)
            alive = wait_until_dead(armed, point.name, since=provoked)
            self.bring_back(armed)
            # Whoever hands over, or loses the lease, dies when the other one may deliver already.
            self.interrupted(provoked if point.by in (STOP, LEASE) else alive)
            if left_over:
                self.see_off(left_over)
        self.crew.wait_for_answers(1)
        self.look()
        self.crashes[-1]["took"] = round(time.monotonic() - self.crashes[-1]["began"], 2)

    def interrupted(self, since):
        self.ledger.entries.append({"restart": since, "until": self.listeners.sweep()})

    def wait_until_active_or_dead(self, armed):
        wait_for(lambda: is_dead(armed) or is_active(armed), lambda: f"an active server:\n{armed.said()}", pause=0.005)

    # --- what brings a server to its point

    def provoke(self, point, armed):
        """What there is to be done afterwards about a client that was dead."""
        if point.by == STOP:
            self.stop(armed)
        elif point.by == LEASE:
            self.revoke_lease()
        elif point.by == DUMP:
            assert crnpctl("dump", "--socket", armed.socket).returncode != 0, "half a dump was taken for a whole one"
        elif point.by == DEAD:
            return self.let_one_die(armed)
        return None

    def let_one_die(self, armed):
        self.dead += 1
        listener, wanted = self.listeners.dead(), wish("Dead", str(self.dead))
        self.ledger.say_until("OK", self.addresses, listener, "ADD_CLIENT", wanted)
        since = time.monotonic()
        while not is_dead(armed) and not self.ledger.publish([armed], "Dead", wanted["subclass"]):
            pass
        return listener, wanted, since

    def see_off(self, left_over):
        """It is removed after all, gets nothing when its port is back (P6), and everything once it has registered again."""
        listener, wanted, since = left_over
        wait_for(lambda: self.active().registrations(listener.port) is None, lambda: f"the removal of {listener.client}")
        self.ledger.entries.append({"client": listener.client, "removed": self.listeners.sweep(), "since": since})
        listener.revive()
        wait_for(lambda: self.ledger.publish([self.active()], "Dead", wanted["subclass"]), "an event to be published")
        self.ledger.say_until("OK", self.addresses, listener, "ADD_CLIENT", wanted)
        listener.wait_for(1)

    # --- what is promised

    def look(self):
        """Everybody finds what he was promised; the history tells whether he did."""
        self.crew.hold()
        active = self.active()
        self.crew.look(active)
        seen = {client.name for client in self.crew.clients if client.history[-1]["seen"] is not None}
        must = seen | {one.client for one in self.load.steady}
        may = must | {one.client for one in self.load.restless} | set(self.listeners.accepted)
        found = set(active.clients())
        assert must <= found <= may, f"{active.name} knows {sorted(found)}; it has to know {sorted(must)}, and at most {sorted(may)}"
        self.crew.go()

    def settle(self):
        """All that was published gets to whom it belongs."""
        self.load.end()
        self.crew.hold()
        self.ledger.settle_all(self.active, CrashLoad.CLASS)
        self.ledger.read_roles(self.servers)

    def violations(self):
        return checker.violations(self.crew.history) + delivery_checker.violations(self.ledger.history)[:5]

    def summary(self):
        codes = [entry["code"] for entry in self.crew.history if "verb" in entry]
        published = [entry["published"] for entry in self.ledger.entries if "published" in entry]
        return {"crashes": len(self.crashes), "messages": len(codes), "without a reply": codes.count(None), "events": len(published),
                "without an answer": published.count(None), "documents": sum(bool(one["document"]) for one in self.listeners.history)}

    def keep(self, seed):
        folder = tempfile.mkdtemp(prefix=f"crnpd-crashes-{seed}-")
        for name, entries in (("crew", self.crew.history), ("delivery", self.ledger.history), ("crashes", self.crashes)):
            with open(f"{folder}/{name}.jsonl", "w", encoding="utf-8") as file:
                file.writelines(json.dumps(entry) + "\n" for entry in entries)
        with open(f"{folder}/servers.log", "w", encoding="utf-8") as file:
            file.write("\n".join(server.said() for server in self.servers))
        print(f"# history and logs are in {folder}; the last crashes were {self.crashes[-2:]}", flush=True)


class OneServer(Story):
    """It is started again on the same file."""

    def __init__(self, seed):
        self.server = Server(listen=[f"127.0.0.1:{free_port()}"], **SETTINGS)
        try:
            super().__init__([self.server], self.server.addresses(), seed)
        except BaseException:
            self.server.close()
            raise

    def close(self):
        super().close()
        self.server.close()

    def active(self):
        return self.server

    def activate(self, point, turn):
        self.server.kill()
        arm(self.server, point.name, turn)
        self.server.start()
        self.wait_until_active_or_dead(self.server)
        return self.server

    def bring_back(self, armed):
        armed.restart()

    def stop(self, armed):
        armed.process.send_signal(signal.SIGTERM)


class TwoServers(Story):
    """The other one takes over."""

    def __init__(self, seed):
        self.cluster = Cluster(nodes=2, members=1, lease=1, **{**SETTINGS, "log": {"level": "info"}})
        try:
            super().__init__(self.cluster.nodes, self.cluster.addresses, seed)
        except BaseException:
            self.cluster.close()
            raise

    def close(self):
        super().close()
        self.cluster.close()

    def active(self):
        return self.cluster.active()

    def standby(self, point, turn):
        """Armed; it is started anew for that."""
        active = self.cluster.active()
        standby = next(node for node in self.cluster.nodes if node is not active)
        if standby.is_running:
            standby.kill()
        arm(standby, point, turn)
        standby.start()
        wait_for(lambda: is_dead(standby) or (status := standby.status()) and status["role"] == "standby" and status["leader"], "a server to stand by")
        return standby

    def activate(self, point, turn):
        """By an orderly change or by a crash. Whoever dies before it leads keeps the one that stepped down waiting."""
        armed, active = self.standby(point.name, turn), self.cluster.active()
        if self.chance.random() < 0.5 and not point.name.startswith("etcd_lease"):
            active.crnpctl("step-down")
        else:
            self.cluster.kill(active, helper=False)
            active.revoke_lease()
            wait_for(lambda: is_dead(armed) or role_of(armed) in ("taking over", "active"), "the other server to be elected", pause=0.005)
            active.start()
        self.wait_until_active_or_dead(armed)
        return armed

    def bring_back(self, armed):
        """Mostly the node lives and revokes the lease; else, or where etcd is too slow for that, it has to run out."""
        if self.chance.random() < 0.9:
            armed.revoke_lease()
        self.cluster.active()

    def stop(self, armed):
        armed.crnpctl("step-down")

    def revoke_lease(self):
        self.cluster.revoke_lease_of_leader()

    def violations(self):
        return super().violations() + checker.fencing_violations(self.cluster.changes())


class Seeded(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get("CRNPD_TEST_SEED", random.randrange(2**32)))
        print(f"# CRNPD_TEST_SEED={self.seed}", flush=True)
        self.chance = random.Random(self.seed)


class UnderLoad(Seeded):
    def run_story(self, kind, store):
        began = time.monotonic()
        points = points_of(store, LOAD, START, STOP, LEASE, DEAD, DUMP, STANDBY)
        self.chance.shuffle(points)
        story = kind(self.chance.random())
        try:
            for point in points:
                story.crash(point)
            story.settle()
            self.assertEqual(story.violations(), [])
            print("# " + json.dumps({"store": store, **story.summary(), "violations": 0, "seconds": round(time.monotonic() - began)}), flush=True)
        except BaseException:
            story.keep(self.seed)
            raise
        finally:
            story.close()

    def test_one_server_on_its_file(self):
        for _ in range(TURNS):
            self.run_story(OneServer, SQLITE)

    def test_two_servers_on_etcd(self):
        for _ in range(TURNS):
            self.run_story(TwoServers, ETCD)


class Restored(Seeded):
    """A restore that dies has done all or nothing."""

    CLIENTS = 400

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="crnpd-restored-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.dump = self.folder / "clients.dump"
        with Server(**SETTINGS) as server:
            register_many(server.address, self.CLIENTS)
            self.assertEqual(crnpctl("dump", "--socket", server.socket, "--output", self.dump).returncode, 0)

    def run_point(self, server, point):
        with self.subTest(point=point.name), server:
            arm(server, point.name, self.chance.randint(1, point.most))
            server.start()
            server.wait_until_active()
            self.assertNotEqual(crnpctl("restore", "--socket", server.socket, self.dump).returncode, 0)
            wait_until_dead(server, point.name)
            if isinstance(server, Node):
                server.revoke_lease()
            server.restart()
            self.assertEqual(len(self.dump_of(server)), self.CLIENTS if point.is_committed else 0)
            if not point.is_committed:
                self.assertEqual(crnpctl("restore", "--socket", server.socket, self.dump).returncode, 0)
            self.assertEqual(self.dump_of(server), self.dump.read_text(encoding="utf-8").splitlines()[1:-1])

    @staticmethod
    def dump_of(server):
        """The clients in it. Refused is not empty: where the machine stands still the lease runs out, and comes again."""
        def dump():
            run = crnpctl("dump", "--socket", server.socket)
            return run.returncode == 0 and run.stdout.decode().splitlines()

        return wait_for(dump, lambda: f"a dump:\n{server.said()}", pause=0.05)[1:-1]

    def test_into_a_file(self):
        for point in points_of(SQLITE, RESTORE) * TURNS:
            self.run_point(Server(start=False, **SETTINGS), point)

    def test_into_etcd(self):
        with Cluster(nodes=0, members=1, start=False) as cluster:
            for number, point in enumerate(points_of(ETCD, RESTORE) * TURNS):
                folder = self.folder / str(number)
                folder.mkdir()
                self.run_point(Node(folder, cluster.etcd.endpoints, {"prefix": f"/restored{number}", "lease": "1s"}, **SETTINGS), point)


class NewFile(unittest.TestCase):
    def test_a_server_that_died_over_it_begins_anew(self):
        for point in points_of(SQLITE, NEW_FILE):
            with self.subTest(point=point.name), Server(start=False, **SETTINGS) as server:
                arm(server, point.name, 1)
                server.start()
                wait_until_dead(server, point.name)
                server.restart()
                self.assertEqual((server.code("ADD_CLIENT", 2001), list(server.clients())), ("OK", ["127.0.0.1:2001"]))


class ThisTest(unittest.TestCase):
    def test_notices_a_point_that_is_never_reached(self):
        with Server(start=False, **SETTINGS) as server:
            arm(server, "nowhere", 1)
            server.restart()
            with self.assertRaisesRegex(AssertionError, "in vain for: the crash point nowhere"):
                wait_until_dead(server, "nowhere", patience=0.1)

    def test_notices_a_server_that_dies_of_something_else(self):
        with Server(**SETTINGS) as server:
            server.kill()
            with self.assertRaisesRegex(AssertionError, "and not at parsed"):
                wait_until_dead(server, "parsed")

    def test_takes_a_death_for_as_early_as_it_may_have_been(self):
        with tempfile.TemporaryDirectory(prefix="crnpd-late-") as folder:
            errors = Path(folder) / "stderr"
            errors.write_text("crash point parsed\n", encoding="utf-8")
            process = mock.Mock(returncode=-signal.SIGKILL, poll=mock.Mock(side_effect=[None, None, None, -signal.SIGKILL]))
            self.assertEqual(wait_until_dead(mock.Mock(errors=errors, process=process), "parsed", since=5.0), 5.0)

    def test_has_a_way_to_every_point(self):
        ways = {SQLITE: {LOAD, START, STOP, DEAD, DUMP, RESTORE, NEW_FILE}, ETCD: {LOAD, START, STOP, LEASE, DEAD, DUMP, STANDBY, RESTORE}}
        self.assertEqual([point.name for point in POINTS for store in point.stores if point.by not in ways[store] or store not in BOTH], [])


if __name__ == "__main__":
    unittest.main()
