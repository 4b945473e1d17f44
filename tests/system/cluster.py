# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Several servers on one etcd, and clients that find the active one.

    with Cluster(lease=1) as cluster:
        cluster.kill(cluster.active())
        cluster.first_ok(message("ADD_CLIENT", 2001))

Each node is a server with a folder and an address of its own on loopback; a client tries the addresses in turn,
which stands for the floating address of a real cluster: only the active server listens.
"""
import collections
import contextlib
import re
import subprocess
import tempfile
import time
from pathlib import Path

from etcd_cluster import EtcdCluster, free_port
from harness import CRNPD, PATIENCE, REPLY, Server, connect, crnpctl, read_to_end, wait_for

PREFIX = "/crnpd"
# How the store says that etcd refused a commit because its term is over.
SUPERSEDED = ("this server's leadership has ended", " leads, term ")


def send_once(address, document, patience=PATIENCE):
    """(whether the server may have got it, the code of its reply or None)"""
    try:
        connection = connect(address, patience=patience)
    except OSError:
        return False, None
    with connection:
        try:
            connection.sendall(document)
            found = REPLY.fullmatch(read_to_end(connection))
            return True, found.group(1).decode() if found else None
        except OSError:
            return True, None


class Node(Server):
    """One crnpd of a cluster."""

    def __init__(self, folder, endpoints, etcd_settings=None, host="127.0.0.1", **settings):
        address = f"{host}:{free_port()}"
        store = {"kind": "etcd", "etcd": {"endpoints": endpoints, "prefix": PREFIX, **(etcd_settings or {})}}
        super().__init__(folder=folder, start=False, **{"listen": [address], "store": store, **settings})
        self.listens_on = (host, int(address.rpartition(":")[2]))

    def role(self):
        """(what `crnpctl role` prints, its exit status)"""
        run = self.crnpctl("role")
        return run.stdout.decode().strip(), run.returncode

    def crnpctl(self, *arguments, stdin=b""):
        return crnpctl(*arguments, "--socket", self.socket, stdin=stdin)

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def is_active(self):
        status = self.status() if self.is_running else None
        return bool(status and status["role"] == "active" and status["listen"])

    def wait_until_standby(self):
        """Standing by, and it knows for whom."""
        self.wait_until(lambda status: status["role"] == "standby" and status["leader"])
        return self

    def superseded_commits(self):
        """Lines about commits that etcd refused because another server led by then."""
        return [line for line in self.log("CRNPD-CMT-002") if any(words in line["text"] for words in SUPERSEDED)]

    def revoke_lease(self):
        """What ExecStopPost= of the unit runs after an unclean exit."""
        return subprocess.run([CRNPD, "--config", self.config, "--revoke-lease"], capture_output=True, timeout=PATIENCE, check=False)


class Cluster:
    """heartbeat and election are etcd's timers in ms, the lease is in s; `store` are further settings of [store.etcd]."""

    def __init__(self, nodes=3, members=3, heartbeat=50, election=500, lease=1, quota=None, store=None, start=True, **settings):
        self._own = tempfile.TemporaryDirectory(prefix="crnpd-cluster-")
        self.nodes = []
        self.etcd = EtcdCluster(members, heartbeat, election, quota)
        self.lease = lease
        self.store, self.settings = {"lease": f"{lease}s", **(store or {})}, settings
        try:
            for _ in range(nodes):
                self.add_node()
            if start:
                self.start()
        except BaseException:
            self.close()
            raise

    def add_node(self):
        folder = Path(self._own.name) / f"node{len(self.nodes) + 1}"
        folder.mkdir()
        # One worker takes connections in their order, so that what a client sent later is not decided before.
        node = Node(folder, self.etcd.endpoints, self.store, **{"workers": 1, "log": {"level": "info"}, **self.settings})
        self.nodes.append(node)
        return node

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for node in self.nodes:
            node.close()
        self.etcd.close()
        self._own.cleanup()

    def start(self):
        """Those that do not run; the first of them becomes active if nobody is."""
        for node in self.nodes:
            if not node.is_running:
                node.start()
                if node is self.nodes[0]:
                    node.wait_until(lambda status: status["role"] in ("active", "standby"))
        self.settled()
        return self

    def settled(self):
        """One is active, all others that run stand by for it; the active one."""
        active = self.active()
        for node in self.nodes:
            if node is not active and node.is_running:
                node.wait_until_standby()
        return active

    def active(self):
        """The one that is, once there is exactly one."""
        def one():
            if not any(node.is_running for node in self.nodes):
                raise AssertionError(f"no server runs:\n{self.said()}")
            found = [node for node in self.nodes if node.is_active()]
            return len(found) == 1 and found[0]

        return wait_for(one, lambda: f"one active server:\n{self.said()}")

    def standbys(self):
        active = self.settled()
        return [node for node in self.nodes if node is not active and node.is_running]

    def said(self):
        return "\n".join(f"--- {node.name}\n{node.said()}" for node in self.nodes)

    def kill(self, node, helper=True):
        """The process ends at once. With `helper` the node lives and does what systemd would do then; what that says is returned."""
        node.process.kill()
        node.process.wait(PATIENCE)
        if helper:
            run = node.revoke_lease()
            assert run.returncode == 0, run.stdout + run.stderr
            return run.stdout.decode()
        return None

    def revoke_lease_of_leader(self):
        """By somebody who thinks that it is dead. What it does not know yet costs it every commit."""
        leader = self.etcd.lease_of(PREFIX + "/leader")
        if not leader:
            return
        run = self.etcd.ctl("lease", "revoke", f"{leader:x}", check=False)
        # One that has run out meanwhile is gone, which is what was wanted.
        assert run.returncode == 0 or b"requested lease not found" in run.stderr, run.stderr.decode()

    def member_of(self, node):
        """The etcd member that lives on the same machine."""
        return self.etcd.members[self.nodes.index(node)]

    # --- as a client

    @property
    def addresses(self):
        return [node.listens_on for node in self.nodes]

    def code(self, document, patience=PATIENCE):
        """Of the first reply, RETRY or not; nobody there is asked again."""
        return wait_for(lambda: self._code_of_any(self.addresses, document, patience), "a reply of any server", pause=0.005)

    def first_ok(self, document, since=None, but=None):
        """Seconds from `since` to the first OK of any node but that one."""
        addresses = [node.listens_on for node in self.nodes if node is not but]
        since = time.monotonic() if since is None else since
        wait_for(lambda: self._code_of_any(addresses, document, 5) == "OK", lambda: f"an OK of any server:\n{self.said()}", pause=0.002)
        return time.monotonic() - since

    @staticmethod
    def _code_of_any(addresses, document, patience):
        for address in addresses:
            with contextlib.suppress(OSError):
                _, code = send_once(address, document, patience)
                if code:
                    return code
        return None

    # --- what happened

    def changes(self, since=1):
        """Who led and what was committed, in etcd's own order, for checker.fencing_violations()."""
        found, rows = [], collections.Counter()
        for change in self.etcd.history(PREFIX + "/", since):
            revision, key, value = change["revision"], change["key"].removeprefix(PREFIX), change["value"]
            if key == "/leader":
                found.append({"revision": revision, "leader": None if value is None else change["created"]})
            elif key == "/head" and value is not None:
                found.append({"revision": revision, **head_of(value)})
            elif key.startswith("/client/"):
                rows[revision] += 1
        for change in found:
            if "batch" in change:
                change["rows"] = rows.pop(change["revision"], 0)
        found += [{"revision": revision, "stray": count} for revision, count in rows.items()]
        return found


def head_of(text):
    """The part of <prefix>/head that tells who committed what (docs/store-format.md)."""
    term, batch = re.match(r"term (\d+) batch (\d+) ", text).groups()
    return {"term": int(term), "batch": int(batch)}
