# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Hosts of a test: network namespaces on one bridge, inside the namespaces that @in_namespaces("--net", "--mount")
made. So nothing of it can be seen from outside, and the kernel removes it with the last process of the test.

    with Network("h1", "h2", "client") as network:
        network.run("client", "ping", network.address("h1"))
"""
import contextlib
import subprocess
from pathlib import Path

from harness import PATIENCE

# The addresses of docs/operations.md, so that the shipped examples are used as they are.
SUBNET = "192.0.2"
FLOATING = f"{SUBNET}.100"

# An unasked answer: "ADDRESS is at my interface's address", to everybody, as whoever moves an address has to send.
ANNOUNCE = """
import socket, sys
address = socket.inet_aton(sys.argv[1])
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind(("eth0", 0x0806))
mac = link.getsockname()[4]
arp = b"\\x00\\x01\\x08\\x00\\x06\\x04\\x00\\x02" + mac + address + b"\\xff" * 6 + address
link.send(b"\\xff" * 6 + mac + b"\\x08\\x06" + arp)
"""


def ip(*arguments, check=True):
    run = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    if check and run.returncode:
        raise AssertionError(f"ip {' '.join(arguments)}: {run.stderr}")
    return run


class Network:
    def __init__(self, *hosts):
        self.hosts = hosts
        # Names of namespaces are files; these are our own.
        Path("/run/netns").mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", "/run/netns"], check=True, capture_output=True)
        ip("link", "add", "bridge", "type", "bridge", "forward_delay", "0")
        ip("link", "set", "bridge", "up")
        for host in hosts:
            ip("netns", "add", host)
            ip("link", "add", f"to-{host}", "type", "veth", "peer", "name", "eth0", "netns", host)
            ip("link", "set", f"to-{host}", "master", "bridge", "up")
            ip("-n", host, "link", "set", "lo", "up")
            ip("-n", host, "link", "set", "eth0", "up")
            ip("-n", host, "addr", "add", f"{self.address(host)}/24", "dev", "eth0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for host in self.hosts:
            with contextlib.suppress(AssertionError):
                ip("netns", "del", host)
        ip("link", "del", "bridge", check=False)

    def address(self, host):
        return f"{SUBNET}.{self.hosts.index(host) + 1}"

    @staticmethod
    def inside(host):
        """The command in front that makes a program one of that host. Its process id is the program's."""
        return ["ip", "netns", "exec", host]

    def run(self, host, *command, patience=PATIENCE):
        return subprocess.run([*self.inside(host), *map(str, command)], capture_output=True, text=True, timeout=patience, check=False)

    def cut_off(self, host):
        ip("link", "set", f"to-{host}", "down")

    def reconnect(self, host):
        ip("link", "set", f"to-{host}", "up")

    # --- the floating address

    def holds(self, host):
        return f" {FLOATING}/" in ip("-n", host, "-o", "addr", "show", "dev", "eth0").stdout

    def give(self, host):
        """May be repeated; announces it each time."""
        ip("-n", host, "addr", "replace", f"{FLOATING}/24", "dev", "eth0")
        self.run(host, "python3", "-c", ANNOUNCE, FLOATING)

    def take(self, host):
        ip("-n", host, "addr", "del", f"{FLOATING}/24", "dev", "eth0", check=False)
