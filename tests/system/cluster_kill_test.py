# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Servers, etcd members and whole nodes killed, and the active server paused, at random under load: nothing that was
acknowledged is lost, no refusal is untrue, and whoever does not lead any more commits nothing.

CRNPD_TEST_KILLS and CRNPD_TEST_SEED set the number of kills and the schedule. A failed run leaves its history
in the temporary folder of the system and says where.
"""
import collections
import json
import os
import random
import signal
import tempfile
import time
import unittest

from checker import fencing_violations, violations
from cluster import Cluster
from harness import LONG, SANITIZED, wait_for
from ledger import Crew

KILLS = int(os.environ.get("CRNPD_TEST_KILLS", 3000 if LONG else 20 if SANITIZED else 60))
# A pause for each third kill, as often as the project's plan has it for the long run.
ACTIONS = {"server": 4, "server without helper": 1, "member": 3, "leader of etcd": 1, "node": 1, "pause": 3}
# etcd's history is read and forgotten after so many rounds.
CHAPTER = 100
# After the kills, until a late commit is seen: that none of so many catches one happens once in 10^12 runs.
MOST_PAUSES = 100


class Trouble:
    """One thing after another that happens to a cluster under load, and what became of it."""

    def __init__(self, cluster, crew, chance):
        self.cluster, self.crew, self.chance = cluster, crew, chance
        self.counts = collections.Counter()
        self.changes = []
        self.revision = 1
        self.refused_late = {}  # by server: how many lines of its log said so
        self.began = self.longest = 0.0  # of a kill; and from one to the first answer after it

    @property
    def kills(self):
        return sum(self.counts[what] for what in ("servers killed", "members killed"))

    def round(self, action=None):
        action = action or self.chance.choices(list(ACTIONS), ACTIONS.values())[0]
        self.counts[action] += 1
        self.crew.go()
        self.crew.wait_for_answers(self.chance.randrange(1, 150))
        self.began = time.monotonic()
        {"server": self.kill_server, "server without helper": lambda: self.kill_server(helper=False), "member": self.kill_member,
         "leader of etcd": lambda: self.kill_member(self.cluster.etcd.leader()), "node": self.kill_node, "pause": self.pause}[action]()
        self.crew.wait_for_answers(1)
        if action != "pause":
            self.longest = max(self.longest, time.monotonic() - self.began)
        self.mend()
        self.crew.hold()
        self.look()

    def kill_server(self, helper=True):
        """Mostly the active one; sometimes one that stands by, which nobody should notice."""
        active = self.cluster.active()
        node = active if self.chance.random() < 0.9 else self.chance.choice(self.cluster.nodes)
        self.cluster.kill(node, helper)
        self.counts["servers killed"] += 1
        return node

    def kill_member(self, member=None):
        (member or self.chance.choice(self.cluster.etcd.members)).kill()
        self.counts["members killed"] += 1

    def kill_node(self):
        """Both on the node of the active server, which also leads etcd."""
        node = self.cluster.active()
        self.cluster.etcd.lead_by(self.cluster.member_of(node))
        self.began = time.monotonic()
        os.kill(node.pid, signal.SIGKILL)
        self.kill_member(self.cluster.member_of(node))
        node.process.wait()
        self.counts["servers killed"] += 1

    def pause(self):
        """From half a lease, after which it still leads, to three, after which another one does for long. Sometimes
        its lease is revoked meanwhile, so that it wakes up before its own clock could tell it anything."""
        node = self.cluster.active()
        os.kill(node.pid, signal.SIGSTOP)
        try:
            if self.chance.random() < 0.5:
                self.cluster.revoke_lease_of_leader()
            until = time.monotonic() + self.chance.uniform(0.5, 3) * self.cluster.lease
            wait_for(lambda: time.monotonic() >= until, "the end of the pause", pause=0.02)
        finally:
            os.kill(node.pid, signal.SIGCONT)

    def mend(self):
        self.cluster.etcd.bring_back()
        for node in self.cluster.nodes:
            if not node.is_running:
                self.count_late(node)
                node.start()
        self.cluster.settled()

    def look(self):
        active = self.cluster.settled()
        self.crew.look(active)
        registered = sum(client.history[-1]["seen"] is not None for client in self.crew.clients)
        if len(active.clients()) != registered:
            raise AssertionError(f"{active.name} knows {active.clients()}, the clients see {registered} of them")

    def count_late(self, node):
        """Commits that came from a server after its leadership had ended, and were refused."""
        self.refused_late[node.name] = len(node.superseded_commits())

    @property
    def late_commits(self):
        for node in self.cluster.nodes:
            self.count_late(node)
        return sum(self.refused_late.values())

    def read_history(self, forget=True):
        end = self.cluster.etcd.revision()
        self.changes += self.cluster.changes(self.revision)
        if forget:
            self.cluster.etcd.compact(end)
        self.revision = end + 1


class Killed(unittest.TestCase):
    def run_trouble(self, kills, late=False, **cluster_settings):
        """With `late` it does not end before a paused server's commit was refused."""
        seed = int(os.environ.get("CRNPD_TEST_SEED", random.randrange(2**32)))
        print(f"# CRNPD_TEST_SEED={seed}", flush=True)
        chance, began, rounds = random.Random(seed), time.monotonic(), 0
        with Cluster(log={"level": "warn"}, **cluster_settings) as cluster, Crew(cluster.addresses, seed) as crew:
            trouble = Trouble(cluster, crew, chance)
            try:
                while trouble.kills < kills or not trouble.counts["pause"]:
                    trouble.round()
                    rounds += 1
                    if rounds % CHAPTER == 0:
                        trouble.read_history()
                        self.check(trouble)
                        print(f"# {trouble.kills} kills after {time.monotonic() - began:.0f} s", flush=True)
                # About each fourth pause catches a commit on its way; those above may have caught none.
                for _ in range(MOST_PAUSES if late else 0):
                    if trouble.late_commits:
                        break
                    trouble.round("pause")
                trouble.read_history(forget=False)
                self.check(trouble)
            except BaseException:
                self.keep(trouble, seed)
                raise
            return self.summary(trouble, seed, time.monotonic() - began)

    def check(self, trouble):
        self.assertEqual(violations(trouble.crew.history), [])
        self.assertEqual(fencing_violations(trouble.changes), [])
        # What the clients were told and what was committed are the same story.
        self.assertGreater(sum("batch" in change for change in trouble.changes), 0)

    def summary(self, trouble, seed, seconds):
        sent = [entry for entry in trouble.crew.history if "verb" in entry]
        codes = collections.Counter(entry["code"] or "none" for entry in sent)
        terms = {change["leader"] for change in trouble.changes if change.get("leader")}
        summary = {"kills": trouble.kills, "pauses": trouble.counts["pause"], "takeovers": len(terms) - 1, "messages": len(sent), "replies": codes,
                   "unanswered": codes["none"], "violations": 0, "commits": sum("batch" in change for change in trouble.changes),
                   "late commits refused": trouble.late_commits, "longest silence, s": round(trouble.longest, 2),
                   "seconds": round(seconds), "seed": seed, "actions": {action: trouble.counts[action] for action in ACTIONS}}
        print("# " + json.dumps(summary), flush=True)
        return summary

    def keep(self, trouble, seed):
        folder = tempfile.mkdtemp(prefix=f"crnpd-history-{seed}-")
        for name, entries in (("history", trouble.crew.history), ("changes", trouble.changes)):
            with open(f"{folder}/{name}.jsonl", "w", encoding="utf-8") as file:
                file.writelines(json.dumps(entry) + "\n" for entry in entries)
        for node in trouble.cluster.nodes:
            with open(f"{folder}/{node.name}.log", "w", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in node.log())
        print(f"# history and logs are in {folder}", flush=True)

    def test_with_short_timers(self):
        summary = self.run_trouble(KILLS, late=True, heartbeat=50, election=500, lease=1)
        # A load that was never cut off in the middle would have proved nothing, nor would pauses that nobody noticed.
        self.assertGreater(summary["unanswered"], KILLS / 8)
        self.assertGreater(summary["replies"]["OK"], 20 * KILLS)
        self.assertGreater(summary["takeovers"], KILLS / 4)
        self.assertGreater(summary["late commits refused"], 0)

    def test_with_the_default_timers(self):
        kills = max(3, KILLS // 20)
        summary = self.run_trouble(kills, heartbeat=100, election=1000, lease=3)
        self.assertGreater(summary["replies"]["OK"], 20 * kills)


if __name__ == "__main__":
    unittest.main()
