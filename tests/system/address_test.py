# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""The floating address: three hosts, each with a member of etcd and a server that listens on an address that only the
active one's host has. Clients notice nothing but a pause when it moves."""
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from cluster import Node
from etcd_cluster import ETCD, ETCDCTL, EtcdCluster
from harness import CRNPCTL, PATIENCE, ROOT, in_namespaces, wait_for
from hosts import FLOATING, Network

HOSTS = ("n1", "n2", "n3")
EXAMPLES = ROOT / "config/examples"


class Site:
    """The hosts with all that runs on them."""

    def __init__(self, network, folder):
        self.network = network
        self.etcd = EtcdCluster(hosts=[(network.address(host), network.inside(host)) for host in HOSTS])
        self.nodes = {host: self._node(folder / host, host) for host in HOSTS}
        for node in self.nodes.values():
            node.start()

    def _node(self, folder, host):
        folder.mkdir()
        # The member on the same host first, as docs/operations.md advises.
        endpoints = sorted(self.etcd.endpoints, key=lambda endpoint: not endpoint.startswith(self.network.address(host) + ":"))
        return Node(folder, endpoints, {"lease": "1s"}, prefix=self.network.inside(host), listen=[f"{FLOATING}:9444"],
                    log={"level": "info"})

    def close(self):
        for node in self.nodes.values():
            node.close()
        self.etcd.close()

    def active(self):
        """The host of the one active server."""
        def one():
            if not any(node.is_running for node in self.nodes.values()):
                raise AssertionError("no server runs:\n" + "\n".join(node.said() for node in self.nodes.values()))
            found = [host for host, node in self.nodes.items() if node.is_active()]
            return len(found) == 1 and found[0]

        return wait_for(one, lambda: "one active server:\n" + "\n".join(node.said() for node in self.nodes.values()))

    def kill(self, host):
        """Everything on it at once, and its cable."""
        self.network.cut_off(host)
        os.kill(self.nodes[host].process.pid, signal.SIGKILL)
        self.etcd.members[HOSTS.index(host)].kill()
        self.nodes[host].process.wait(PATIENCE)

    def role(self, host):
        return self.network.run(host, CRNPCTL, "role", "--socket", self.nodes[host].socket).returncode


class ManagerOfTheTest:
    """Moves the address as keepalived's track script would: to where `crnpctl role` exits 0, away from everywhere else.

    Announces it again and again, as every manager has to: a client that hears of it while the host that had it still
    answers for it may go on with that one for as long as its neighbour table believes in it, most of a minute.
    """

    def __init__(self, site):
        self.site, self.dead, self._over = site, set(), threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(host,), daemon=True) for host in HOSTS]
        for thread in self._threads:
            thread.start()

    def close(self):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def host_died(self, host):
        self.dead.add(host)

    def _watch(self, host):
        network, holds = self.site.network, False
        while not self._over.wait(0.2) and host not in self.dead:
            is_active = self.site.role(host) == 0
            if is_active:
                network.give(host)
            elif holds:
                network.take(host)
            holds = is_active


class Keepalived:
    """The shipped example on every host; the test's are the path of the program, its socket and the user alone."""

    def __init__(self, site, folder):
        self.processes = {}
        self.logs = {host: folder / f"{host}.keepalived.log" for host in HOSTS}
        for host, node in site.nodes.items():
            file = folder / f"{host}.keepalived.conf"
            file.write_text(self.adapted(node), encoding="utf-8")
            ids = [option for kind, name in (("-p", "keepalived"), ("-r", "vrrp"), ("-c", "checkers")) for option in (kind, str(folder / f"{host}.{name}.pid"))]
            with open(self.logs[host], "wb") as log:
                self.processes[host] = subprocess.Popen([*site.network.inside(host), "keepalived", "--dont-fork", "--log-console", "--vrrp",
                                                         "--use-file", str(file), *ids], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @staticmethod
    def adapted(node):
        text = (EXAMPLES / "keepalived.conf").read_text(encoding="utf-8")
        for shipped, here in (("script_user crnpd", "script_user root"), ("/usr/bin/crnpctl role", f"{CRNPCTL} role --socket {node.socket}")):
            if text.count(shipped) != 1:
                raise AssertionError(f"the example has {shipped!r} {text.count(shipped)} times")
            text = text.replace(shipped, here)
        return text

    def host_died(self, host):
        """Its processes too; keepalived's parent would start the other one anew."""
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.processes[host].pid)], capture_output=True, text=True, check=False)
        for pid in [self.processes[host].pid, *map(int, children.stdout.split())]:
            os.kill(pid, signal.SIGKILL)
        self.processes[host].wait(PATIENCE)

    def close(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(PATIENCE)

    def said(self):
        return "\n".join(log.read_text(encoding="utf-8", errors="replace")[-2000:] for log in self.logs.values())


class Clients:
    """Programs on a host of their own that register one client after the other, each with its time limit and its repetitions."""

    def __init__(self, network, count=4):
        self.network, self.registered, self.failed, self.slowest = network, [], [], 0.0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(range(1000 * (i + 1), 1000 * (i + 2)),), daemon=True) for i in range(count)]
        for thread in self._threads:
            thread.start()

    def _work(self, ports):
        for port in ports:
            if self._over.is_set():
                return
            began = time.monotonic()
            run = self.network.run("client", CRNPCTL, "register", "--server", f"{FLOATING}:9444", "--port", port, "--timeout", "2s", "--attempts", 10)
            self.slowest = max(self.slowest, time.monotonic() - began)
            if run.returncode:
                self.failed.append(f"{port}: {run.returncode} {run.stdout}{run.stderr}")
            else:
                self.registered.append(port)

    def wait_for_more(self, count=20):
        before = len(self.registered)
        wait_for(lambda: len(self.registered) >= before + count or self.failed, f"{count} more registrations")

    def stop(self):
        self._over.set()
        for thread in self._threads:
            thread.join()


class FloatingAddress(unittest.TestCase):
    def site(self):
        network = Network(*HOSTS, "client")
        self.addCleanup(network.__exit__)
        folder = tempfile.TemporaryDirectory(prefix="crnpd-site-")
        self.addCleanup(folder.cleanup)
        site = Site(network, Path(folder.name))
        self.addCleanup(site.close)
        site.active()
        return site, Path(folder.name)

    def follow(self, site, said=lambda: ""):
        """The host of the active server, once it and nobody else alive has the address."""
        def there():
            active = site.active()
            return site.network.holds(active) and active

        return wait_for(there, lambda: f"the address at the active server; {said()}")

    def story(self, site, manager, said=lambda: ""):
        """Handed over, killed, cut off: under the clients' eyes."""
        first = self.follow(site, said)
        clients = Clients(site.network)
        self.addCleanup(clients.stop)
        clients.wait_for_more()
        self.assertEqual(site.nodes[first].crnpctl("step-down").returncode, 0)
        clients.wait_for_more()
        second = self.follow(site, said)
        self.assertNotEqual(second, first)
        self.pause("handed over", clients)

        site.network.cut_off(second)
        clients.wait_for_more()
        third = self.follow(site, said)
        self.assertNotEqual(third, second)
        # Whoever was cut off does not think that it is active, and does not keep the address.
        site.nodes[second].wait_until(lambda status: status["role"] == "standby")
        wait_for(lambda: not site.network.holds(second), f"{second} to give the address up; {said()}")
        site.network.reconnect(second)
        clients.wait_for_more()
        self.pause("cut off", clients)

        site.etcd.wait_until_healthy()
        # Mostly it stands by now. A member of etcd that comes back may cost the others their leader, and then all is open.
        site.nodes[second].wait_until(lambda status: status["role"] == "active" or status["role"] == "standby" and status["leader"])
        last = self.follow(site, said)
        site.kill(last)
        manager.host_died(last)
        clients.wait_for_more()
        self.pause("host killed", clients)
        clients.stop()
        self.assertEqual(clients.failed, [])
        heir = site.nodes[self.follow(site, said)]
        client = site.network.address("client")
        self.assertEqual(set(heir.clients()), {f"{client}:{port}" for port in clients.registered})

    def pause(self, what, clients):
        print(f"# {what}: the slowest client took {clients.slowest:.1f} s", flush=True)
        self.assertEqual(clients.failed, [])
        clients.slowest = 0.0

    @in_namespaces("--net", "--mount")
    def test_it_follows_the_active_server(self):
        site, _ = self.site()
        manager = ManagerOfTheTest(site)
        self.addCleanup(manager.close)
        self.story(site, manager)

    @in_namespaces("--net", "--mount")
    def test_keepalived_moves_it_with_the_shipped_configuration(self):
        if not shutil.which("keepalived", path=os.environ["PATH"] + ":/usr/sbin"):
            self.skipTest("keepalived is not installed")
        site, folder = self.site()
        keepalived = Keepalived(site, folder)
        self.addCleanup(keepalived.close)
        self.story(site, keepalived, keepalived.said)

    @in_namespaces("--net", "--mount")
    def test_the_server_listens_before_the_address_is_there(self):
        site, _ = self.site()
        active = site.active()
        self.assertEqual([site.network.holds(host) for host in HOSTS], [False] * 3)
        self.assertEqual(site.nodes[active].status()["listen"], [f"{FLOATING}:9444"])
        site.network.give(active)
        run = site.network.run("client", CRNPCTL, "register", "--server", f"{FLOATING}:9444", "--port", 1)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    @in_namespaces("--net", "--mount")
    def test_the_shipped_configuration_of_etcd_makes_a_cluster(self):
        network = Network(*HOSTS)
        self.addCleanup(network.__exit__)
        folder = tempfile.TemporaryDirectory(prefix="crnpd-etcd-")
        self.addCleanup(folder.cleanup)
        for host in HOSTS:
            log = open(f"{folder.name}/{host}.log", "wb")
            self.addCleanup(log.close)
            member = subprocess.Popen([*network.inside(host), ETCD], env={**os.environ, **self.etcd_settings(host, network), "ETCD_DATA_DIR": f"{folder.name}/{host}"},
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.addCleanup(member.wait)
            self.addCleanup(member.kill)
        endpoints = ",".join(f"{network.address(host)}:2379" for host in HOSTS)
        wait_for(lambda: network.run("n2", ETCDCTL, "--endpoints", endpoints, "endpoint", "health").returncode == 0, "three healthy members")
        self.assertEqual(len(network.run("n3", ETCDCTL, "member", "list").stdout.splitlines()), 3)

    def etcd_settings(self, host, network):
        """As an administrator adapts them: the member's name and address in the first lines."""
        settings = {}
        for line in (EXAMPLES / "etcd.conf").read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                name, value = line.split("=", 1)
                own = name != "ETCD_INITIAL_CLUSTER"
                settings[name] = value.replace("n1", host).replace(network.address("n1"), network.address(host)) if own else value
        return settings


if __name__ == "__main__":
    unittest.main()
