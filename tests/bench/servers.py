# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks measure: each server starts afresh and tells its port, and ends in good order."""
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

START_LIMIT = 20.0  # seconds for a server to listen, and to stop

CONFIG = """listen = ["127.0.0.1:0"]
allow_hosts = ["127.0.0.0/8"]
max_clients = 100000
[limits]
connections = 20000
connections_per_address = 20000
[control]
socket = "{folder}/control.sock"
[log]
level = "info"
target = "{folder}/crnpd.log"
"""
SQLITE = """[store]
path = "{folder}/registrations.db"
"""
ETCD = """[store]
kind = "etcd"
[store.etcd]
endpoints = ["127.0.0.1:{port}"]
prefix = "{prefix}"
"""


def stop(process, name):
    process.send_signal(signal.SIGTERM)
    status = process.wait(START_LIMIT)
    if status != 0:
        raise RuntimeError(f"{name} ended with {status}")


class Bare:
    """The yardstick, tests/bench/bare_server.cc."""

    load = "registrations"

    def __init__(self, build, *options):
        self.command = [build / "bin/bare_server", *options]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        return int(self.process.stdout.readline())

    def stop(self):
        stop(self.process, self.command[0].name)
        self.process.stdout.close()


class Crnpd:
    """crnpd with a fresh store each time: a file of its own, or a prefix of its own in an etcd."""

    load = "registrations"

    def __init__(self, build, etcd=None):
        self.build, self.etcd = build, etcd
        self.process = None
        self.folder = None

    def start(self):
        self.folder = Path(tempfile.mkdtemp(prefix="bench-", dir=self.build))
        config = self.folder / "crnpd.toml"
        store = ETCD.format(port=self.etcd.port, prefix=f"/{self.folder.name}") if self.etcd else SQLITE
        config.write_text((CONFIG + store).format(folder=self.folder), encoding="utf-8")
        self.process = subprocess.Popen([self.build / "bin/crnpd", "--config", config])
        return self._port()

    def _port(self):
        """The log says which port it got."""
        log = self.folder / "crnpd.log"
        until = time.monotonic() + START_LIMIT
        while time.monotonic() < until and self.process.poll() is None:
            text = log.read_text(encoding="utf-8") if log.exists() else ""
            found = re.search(r"listening on 127\.0\.0\.1:([1-9]\d*)", text)
            if found:
                return int(found.group(1))
            time.sleep(0.02)
        self.process.kill()
        raise RuntimeError(f"crnpd does not listen; see {log}")

    def stop(self):
        stop(self.process, "crnpd")
        shutil.rmtree(self.folder)


class Etcd:
    """One member with its data beside the build, so on the same disk as an embedded store. Runs for a whole
    benchmark; as a server of its own it takes plain PUTs."""

    load = "puts"

    def __init__(self, build):
        self.folder = Path(tempfile.mkdtemp(prefix="bench-etcd-", dir=build))
        self.port, peer = self._free_ports()
        client, peers = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{peer}"
        with open(self.folder / "etcd.log", "wb") as log:
            self.process = subprocess.Popen(
                ["etcd", "--name", "bench", "--data-dir", self.folder / "data", "--listen-client-urls", client,
                 "--advertise-client-urls", client, "--listen-peer-urls", peers,
                 "--initial-advertise-peer-urls", peers, "--initial-cluster", f"bench={peers}"], stdout=log, stderr=log)
        until = time.monotonic() + START_LIMIT
        while not self._answers():
            if time.monotonic() > until or self.process.poll() is not None:
                raise RuntimeError(f"etcd does not start; see {self.folder / 'etcd.log'}")
            time.sleep(0.05)

    @staticmethod
    def _free_ports():
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            return one.getsockname()[1], other.getsockname()[1]

    def _answers(self):
        run = subprocess.run(["etcdctl", "--endpoints", f"127.0.0.1:{self.port}", "endpoint", "health"],
                             env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"}, capture_output=True, check=False)
        return run.returncode == 0

    def start(self):
        return self.port

    def stop(self):
        """Goes on: others use it."""

    def end(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)
