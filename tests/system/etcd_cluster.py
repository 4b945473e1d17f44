# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Real etcd members on loopback, and what may happen to them.

    with EtcdCluster(3, heartbeat=50, election=500) as etcd:
        etcd.leader().kill()

Data and logs are in a temporary folder that goes with the cluster; a member that fails to start shows the end of its log.
Members sync to disk as they do in earnest. Each has ports of its own below the range from which the system takes
the ports of outgoing connections, so that a member that was stopped finds them free when it comes back.
"""
import base64
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from harness import PATIENCE, wait_for

ETCD = shutil.which("etcd")
ETCDCTL = shutil.which("etcdctl")


def free_port(host="127.0.0.1"):
    """One that nobody uses now and that no outgoing connection will be given."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port


class Member:
    """One etcd process; kill(), stop(), pause() and start() again keep its data."""

    def __init__(self, cluster, name, host="127.0.0.1", prefix=(), ports=None):
        self.cluster, self.name, self.prefix = cluster, name, list(prefix)
        client, peer = ports or (free_port(), free_port())
        self.endpoint = f"{host}:{client}"
        self.peer_url = f"http://{host}:{peer}"
        self.data = cluster.folder / f"{name}.etcd"
        self.log = cluster.folder / f"{name}.etcd.log"
        self.state = "new"
        self.process = None

    def start(self):
        command = [*self.prefix, ETCD, "--name", self.name, "--data-dir", str(self.data),
                   "--listen-client-urls", f"http://{self.endpoint}", "--advertise-client-urls", f"http://{self.endpoint}",
                   "--listen-peer-urls", self.peer_url, "--initial-advertise-peer-urls", self.peer_url,
                   "--initial-cluster", ",".join(f"{one.name}={one.peer_url}" for one in self.cluster.members),
                   "--initial-cluster-state", self.state, "--logger", "zap", *self.cluster.options]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def _end(self, number):
        if self.is_running:
            self.process.send_signal(number)
            if number == signal.SIGTERM:
                self.process.send_signal(signal.SIGCONT)
        self.process.wait(PATIENCE)
        return self

    def kill(self):
        return self._end(signal.SIGKILL)

    def stop(self):
        return self._end(signal.SIGTERM)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def status(self):
        """What the member says of itself, or None when it does not answer."""
        run = self.cluster.ctl("endpoint", "status", "-w", "json", member=self, check=False)
        return json.loads(run.stdout)[0]["Status"] if run.returncode == 0 else None

    @property
    def id(self):
        return self.status()["header"]["member_id"]

    def is_healthy(self):
        """It has answered a read that a majority had to agree to."""
        if not self.is_running:
            raise AssertionError(f"etcd member {self.name} ended with {self.process.returncode}:\n{self.said()}")
        return self.cluster.ctl("endpoint", "health", member=self, check=False).returncode == 0

    def wait_until_healthy(self):
        wait_for(self.is_healthy, f"etcd member {self.name}, which said:\n{self.said()}", pause=0.05)
        return self

    def said(self):
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:] if self.log.exists() else ""


class EtcdCluster:
    """heartbeat and election are milliseconds; etcd's own defaults are 100 and 1000.

    quota   bytes a member may store before it refuses every write with NOSPACE
    hosts   (address, command prefix) of each member, for members in network namespaces
    """

    def __init__(self, count=3, heartbeat=50, election=500, quota=None, hosts=None):
        if not ETCD or not ETCDCTL:
            raise AssertionError("etcd is not installed; on Debian: apt-get install etcd-server etcd-client")
        self._own = tempfile.TemporaryDirectory(prefix="crnpd-etcd-")
        self.folder = Path(self._own.name)
        self.options = ["--heartbeat-interval", str(heartbeat), "--election-timeout", str(election)]
        if quota:
            self.options += ["--quota-backend-bytes", str(quota)]
        self.members = [Member(self, f"m{i + 1}", *host) for i, host in enumerate(hosts or [()] * count)]
        self._replaced = 0
        try:
            for member in self.members:
                member.start()
            self.wait_until_healthy()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for member in self.members:
            if member.process:
                member.kill()
        self._own.cleanup()

    @property
    def endpoints(self):
        return [member.endpoint for member in self.members]

    def running(self):
        return [member for member in self.members if member.is_running]

    def ctl(self, *arguments, member=None, check=True, stdin=None, patience=5):
        """etcdctl, at one member or at all that run."""
        members = [member] if member else self.running()
        command = [*members[0].prefix, ETCDCTL, "--endpoints", ",".join(one.endpoint for one in members),
                   "--dial-timeout", "2s", "--command-timeout", f"{patience}s", *map(str, arguments)]
        run = subprocess.run(command, input=stdin, stdin=None if stdin else subprocess.DEVNULL, capture_output=True, timeout=PATIENCE,
                             env={**os.environ, "ETCDCTL_API": "3"}, check=False)
        if check and run.returncode:
            raise AssertionError(f"etcdctl {' '.join(map(str, arguments[:3]))} ended with {run.returncode}: {run.stderr.decode()}")
        return run

    def wait_until_healthy(self):
        for member in self.running():
            member.wait_until_healthy()
        return self

    # --- who leads

    def leader(self):
        """The member that leads, once all that run agree about it."""
        def agreed():
            leaders = {status["leader"] if (status := member.status()) else 0 for member in self.running()}
            found = [member for member in self.running() if leaders == {member.id}]
            return found and found[0]

        return wait_for(agreed, "a leader of etcd", pause=0.05)

    def lead_by(self, member):
        """Makes that member the leader."""
        if (leader := self.leader()) is not member:
            self.ctl("move-leader", f"{member.id:x}", member=leader)
            wait_for(lambda: self.leader() is member, f"{member.name} to lead")

    # --- trouble, and its end

    def stop_majority(self):
        """Kills all but a minority; bring_back() ends it. The leader is among them."""
        leader = self.leader()
        others = [member for member in self.members if member is not leader]
        for member in [leader, *others[:len(self.members) // 2]]:
            member.kill()

    def bring_back(self):
        for member in self.members:
            if not member.is_running:
                member.start()
        return self.wait_until_healthy()

    def replace(self, member):
        """The member is gone with its disk; an empty one takes its place under the same addresses."""
        name, position = member.id, self.members.index(member)
        member.kill()
        self._change_members("remove", f"{name:x}")
        shutil.rmtree(member.data)
        self._replaced += 1
        host, client = member.endpoint.rsplit(":", 1)
        new = Member(self, f"{member.name}r{self._replaced}", host, member.prefix, (client, member.peer_url.rsplit(":", 1)[1]))
        self._change_members("add", new.name, f"--peer-urls={new.peer_url}")
        new.state = "existing"
        self.members[position] = new
        return new.start().wait_until_healthy()

    def _change_members(self, *arguments):
        """etcd does so only once it has seen all the others alive for some seconds."""
        wait_for(lambda: self.ctl("member", *arguments, check=False).returncode == 0, f"member {arguments}", pause=0.2)

    # --- what is kept

    def revision(self):
        return max(status["header"]["revision"] for member in self.running() if (status := member.status()))

    def compact(self, revision=None):
        """Forgets everything before that revision, or the latest."""
        self.ctl("compact", revision or self.revision(), "--physical", check=revision is None)

    def get(self, prefix):
        """{key: value} of everything below the prefix."""
        rows = json.loads(self.ctl("get", "--prefix", prefix, "-w", "json").stdout).get("kvs", [])
        return {base64.b64decode(row["key"]).decode(): base64.b64decode(row["value"]).decode(errors="replace") for row in rows}

    def lease_of(self, key):
        """The lease that the key hangs on, or None."""
        rows = json.loads(self.ctl("get", key, "-w", "json").stdout).get("kvs", [])
        return rows[0].get("lease") if rows else None

    def fill_up(self, key="/filler"):
        """Writes under that key until etcd refuses for want of space."""
        value = os.urandom(512 * 1024).hex().encode()
        wait_for(lambda: b"database space exceeded" in self.ctl("put", key, stdin=value, check=False).stderr, "NOSPACE", pause=0)

    def make_room(self, key="/filler"):
        """What docs/operations.md tells to do about NOSPACE."""
        self.ctl("del", key)
        self.compact()
        for member in self.running():
            self.ctl("defrag", member=member, patience=30)
        self.ctl("alarm", "disarm")

    # --- its history

    def history(self, prefix, since=1):
        """Each change of a key below the prefix, oldest first, as dicts with revision, key, value (None: deleted)
        and created. Nothing of it may have been compacted."""
        end = self.revision()
        with subprocess.Popen([*self.running()[0].prefix, ETCDCTL, "--endpoints", ",".join(one.endpoint for one in self.running()), "watch",
                               "--prefix", "--rev", str(since), "-w", "json", ""], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env={**os.environ, "ETCDCTL_API": "3"}) as watch:
            try:
                return list(self._changes(watch.stdout, prefix, end))
            finally:
                watch.kill()

    @staticmethod
    def _changes(lines, prefix, end):
        """To the revision `end`, which is somebody's change of something."""
        for line in lines:
            answer = json.loads(line)
            if answer.get("Canceled"):
                raise AssertionError(f"etcd does not tell its history: {answer}")
            for event in answer["Events"]:
                row = event["kv"]
                key = base64.b64decode(row["key"]).decode()
                deleted = event.get("type", 0) in (1, "DELETE")
                if key.startswith(prefix):
                    yield {"revision": row["mod_revision"], "key": key, "created": row.get("create_revision", 0),
                           "value": None if deleted else base64.b64decode(row.get("value", "")).decode(errors="replace")}
                last = row["mod_revision"]
            if last >= end:
                return
