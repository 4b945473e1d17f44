# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""The delivery of events: how many a second, beside the least that their connections cost, and what a million clients take.

Deliveries   The clients are ports of event_sink, which accepts, reads to the end of file and closes. It is stopped
             (SIGSTOP) while the events are published, and counted is from the first document that it takes when it
             goes on to the last one: so the speed of publishing is no part of the figure. bare_sender sends as many documents
             to the same clients, "confirmed" (waits for the peer's close, as crnpd must), "polling" (does too, and never
             sleeps) and "blind". They take turns, in an order that rotates; a ratio is the median of the rounds' ratios.
Latency      Of one event to all clients, from before it is published to the end of file at the client.
Stored       A server with an empty store, then the same with so many clients restored from a dump and started anew, and
             idle.
"""
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

PORTS = 1000  # of one address at most; more clients have more addresses, from 127.0.1.1 on
PARALLEL = 64  # connections of the bare sender at once
PUBLISHERS = 16  # connections to the control socket at once
EVENT = {"class": "EC_Cluster", "subclass": "ESC_bench"}


def harness(build):
    """The servers of the system tests, with the programs of that build."""
    os.environ["CRNPD_BIN_DIR"] = str(build / "bin")
    import harness as found  # pylint: disable=import-outside-toplevel
    return found


class Sink:
    """event_sink with the callback ports of so many clients."""

    def __init__(self, build, clients):
        self.ports, self.addresses = min(clients, PORTS), max(1, clients // PORTS)
        if self.ports * self.addresses != clients:
            raise ValueError(f"more than {PORTS} clients must be a multiple of that")
        while True:
            self.first = random.SystemRandom().randrange(10_000, 32_000 - self.ports)
            self.process = subprocess.Popen([build / "bin/event_sink", str(self.first), str(self.ports)], text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if self.process.stdout.readline() == "ready\n":
                break
            self.process.wait()  # somebody has one of these ports

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    @property
    def clients(self):
        return [(f"127.0.1.{1 + i}", self.first + port) for i in range(self.addresses) for port in range(self.ports)]

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def zero(self):
        self.tell("zero")

    @contextlib.contextmanager
    def stopped(self):
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def wait_for(self, count, patience=300):
        """What it counted, once that many documents were taken."""
        until = time.monotonic() + patience
        while (report := self.tell("report"))["taken"] < count:
            if time.monotonic() > until:
                raise RuntimeError(f"only {report['taken']} of {count} documents came within {patience} s")
            time.sleep(0.05)
        if report["taken"] != count or report["broken"]:
            raise RuntimeError(f"{count} documents were due: {report}")
        return report


def ask(control, request):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(control))
        connection.sendall(json.dumps(request).encode() + b"\n")
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile() as lines:
            answer = json.loads(lines.readline())
    if not answer["ok"]:
        raise RuntimeError(f"an event was not published: {answer}")


def stamped_event(*pairs):
    return {**EVENT, "pairs": [{"name": "sent", "values": [f"@{time.monotonic_ns()}@"]}, {"name": "node_list", "values": ["node-1", "node-2"]}, *pairs]}


def publish(control, count):
    """Several at once, so that they share commits."""
    left, problems = iter(range(count)), []
    lock = threading.Lock()

    def work():
        try:
            while True:
                with lock:
                    if next(left, None) is None:
                        return
                ask(control, {"request": "publish", "event": stamped_event()})
        except (OSError, RuntimeError, ValueError) as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work) for _ in range(min(PUBLISHERS, count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise RuntimeError(f"publishing: {problems[0]}")


@contextlib.contextmanager
def serving(build, most_clients):
    tools = harness(build)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as folder:
        with tools.Server(folder, allow_hosts=["ALL"], max_clients=most_clients + 1, log={"level": "info"}, client_timeout="600s",
                          client_retry_count=100, client_retry_interval="3600s",
                          limits={"queue_events": 100_000, "connections": 20_000, "connections_per_address": 20_000}) as server:
            yield server


def register(build, server, clients, **pairs):
    tools, address = harness(build), server.address
    for place in range(0, len(clients), 64):
        group = [(tools.connect(address, host), port) for host, port in clients[place:place + 64]]
        for connection, port in group:
            connection.sendall(tools.message("ADD_CLIENT", port, tools.event(EVENT["class"], EVENT["subclass"], **pairs)))
        for connection, _ in group:
            with connection:
                reply = tools.parse_reply(tools.read_to_end(connection))
                if reply.code != "OK":
                    raise RuntimeError(f"a client was not registered: {reply.text}")


# --- deliveries a second


class Comparison:
    def __init__(self, options, count, server, sink):
        self.options, self.count, self.server, self.sink = options, count, server, sink
        self.events = max(3, options.deliveries // count)

    def per_second(self, name):
        self.sink.zero()
        due = self.events * self.count
        if name == "crnpd":
            with self.sink.stopped():
                publish(self.server.socket, self.events)
        else:
            subprocess.run([self.options.build / "bin/bare_sender", *map(str, (self.sink.first, self.sink.ports, self.sink.addresses)),
                            str(self.events), str(PARALLEL), name], check=True)
        return (due - 1) / self.sink.wait_for(due)["seconds"]

    def latency(self):
        """Milliseconds: (median, p99, worst) of one event to everybody."""
        self.sink.zero()
        times = 20 if self.count <= 100 else 3
        for i in range(times):
            ask(self.server.socket, {"request": "publish", "event": stamped_event()})
            self.sink.wait_for((i + 1) * self.count)
        report = self.sink.wait_for(times * self.count)
        return [report[key] / 1000 for key in ("p50_us", "p99_us", "max_us")]

    def run(self):
        """{name: [deliveries a second of each round]}"""
        names, results = list(NAMES), {}
        for turn in range(self.options.rounds):
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                results.setdefault(name, []).append(self.per_second(name))
                print(f"[{turn + 1}/{self.options.rounds}] {self.count:6} clients, {name:10} {results[name][-1]:8.0f}/s", file=sys.stderr, flush=True)
        return results


NAMES = {"confirmed": "bare, waits for the peer's close", "polling": "bare, waits for it and never sleeps", "blind": "bare, does not wait",
         "crnpd": "crnpd"}


def compare(options):
    rows = []
    for count in options.connections:
        with Sink(options.build, count) as sink, serving(options.build, count) as server:
            register(options.build, server, sink.clients)
            comparison = Comparison(options, count, server, sink)
            results = comparison.run()
            latency = comparison.latency()
        for name, title in NAMES.items():
            share = statistics.median(own / other for own, other in zip(results["crnpd"], results[name]))
            times = "".join(f"{one:.2f} | " for one in latency) if name == "crnpd" else " | " * 3
            rows.append(f"| {count:,} | {title} | {comparison.events:,} | {statistics.median(results[name]):,.0f} | "
                        f"{'' if name == 'crnpd' else f'{share:.2f}'} | {times.rstrip()}")
    return "\n".join(["| clients | program | events of a round | deliveries/s | crnpd's share | p50 ms of one event to all | p99 ms | worst ms |",
                      "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |", *rows])


# --- a million clients


def dump_of(count, target):
    """Clients of which nobody listens, and one in the middle that is `target`; each wants one name of its own."""
    import hashlib  # pylint: disable=import-outside-toplevel
    digest = hashlib.sha256()

    def line(text):
        data = (text + "\n").encode()
        digest.update(data)
        return data

    yield line(json.dumps({"crnpd_dump": 1, "made": "2025-01-31T12:00:00.000Z", "server": "0", "revision": 1, "clients": count, "removals": 0}))
    for number in range(count):
        client = target if number == count // 2 else f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}:2001"
        yield line('{"client":"%s","id":%d,"events":[{"class":"EC_Cluster","subclass":"ESC_bench","pairs":[{"name":"n","values":["%d"]}]}]}'
                   % (client, number + 1, number))
    yield (json.dumps({"end": True, "rows": count, "sha256": digest.hexdigest()}, separators=(",", ":")) + "\n").encode()


def idle_memory(server):
    """Resident bytes once the delivery has begun too and given back what the rows took: no less for five seconds."""
    lowest, since = server.memory(), time.monotonic()
    while time.monotonic() < since + 5:
        time.sleep(0.1)
        now = server.memory()
        if now < lowest - 2**20:
            lowest, since = now, time.monotonic()
    return now


def stored(options):
    count, tools = options.stored, harness(options.build)
    with Sink(options.build, 1) as sink, serving(options.build, count) as server:
        server.stop()
        server.restart()
        empty = server.memory()
        dump = server.folder / "clients.dump"
        with open(dump, "wb") as file:
            file.writelines(dump_of(count, f"127.0.0.1:{sink.first}"))
        print(f"restoring {count:,} clients", file=sys.stderr, flush=True)
        run = subprocess.run([tools.CRNPCTL, "restore", "--socket", server.socket, dump], capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(f"crnpctl restore: {run.stderr}")
        server.stop()
        starts = []
        for _ in range(options.rounds):
            began = time.monotonic()
            server.start()
            server.wait_until_active()
            starts.append(time.monotonic() - began)
            full = idle_memory(server)
            if len(starts) < options.rounds:
                server.stop()
        wanted = {"name": "n", "values": [str(count // 2)]}
        sink.zero()
        for i in range(100):
            ask(server.socket, {"request": "publish", "event": stamped_event(wanted)})
            sink.wait_for(i + 1)
        report = sink.tell("report")
    return "\n".join([
        f"| with {count:,} stored clients | |", "| --- | ---: |",
        f"| memory for each, resident, idle, over the empty server's {empty / 2**20:.0f} MiB | {(full - empty) / count:.0f} bytes |",
        f"| from the start of the process to the first registration it takes, median of {options.rounds} | {statistics.median(starts):.2f} s |",
        f"| one event that one of them wants, published to received: median | {report['p50_us'] / 1000:.2f} ms |",
        f"| p99 of 100 | {report['p99_us'] / 1000:.2f} ms |"])


def run(options):
    return f"{compare(options)}\n\n{stored(options)}"
