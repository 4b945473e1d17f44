# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Exchanges per second and latency of crnpd, beside a yardstick (see ./dev bench).

registrations    the embedded store, against a bare libevent server
etcd             the replicated store on one member of etcd, against plain PUTs to that same member
delivery         events to many clients, against the least that their connections cost (delivery_bench.py)

In one run the servers take turns, in an order that rotates from round to round, so that whatever else the
machine does hits all of them. Each measurement starts its server afresh; crnpd with an empty store on the disk
of the build folder and a log file at level info, as in production. Nothing is pinned to a core: generator and
server share the machine as the kernel sees fit. The figures of a table are medians over the rounds; a ratio
is the median of the rounds' ratios.
"""
import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import delivery_bench
from servers import Bare, Crnpd, Etcd

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/performance.md"
MARKERS = "<!-- {}:begin -->", "<!-- {}:end -->"

def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(server, connections, options):
    port = server.start()
    try:
        before = cpu_seconds(server.process.pid)
        run = subprocess.run([options.build / "bin/load_generator", server.load, str(port), str(connections),
                              str(int(options.warm_up * 1000)), str(int(options.seconds * 1000))],
                             capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"the load generator found errors: {run.stdout}{run.stderr}")
        result = json.loads(run.stdout)
        result["cpu_us"] = (cpu_seconds(server.process.pid) - before) * 1e6 / result["answered"]
        return result
    finally:
        server.stop()


def run_all(servers, options):
    """{(server, connections): [result of each round]}"""
    results = {}
    names = list(servers)
    total = options.rounds * len(options.connections) * len(names)
    for turn in range(options.rounds):
        for connections in options.connections:
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                result = measure(servers[name], connections, options)
                results.setdefault((name, connections), []).append(result)
                done = sum(map(len, results.values()))
                print(f"[{done}/{total}] {connections:4} connections, {name:22} {result['per_second']:7.0f}/s"
                      f"  p50 {result['p50_us']:8.0f} µs  p99 {result['p99_us']:8.0f} µs", file=sys.stderr, flush=True)
    return results


def table(results, options):
    lines = ["| connections | server | exchanges/s | crnpd's share | p50 ms | p99 ms | worst ms | server CPU µs |",
             "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for connections in options.connections:
        crnpd = results["crnpd", connections]
        for (name, count), rounds in results.items():
            if count != connections:
                continue
            share = statistics.median(c["per_second"] / r["per_second"] for c, r in zip(crnpd, rounds))
            middle = {key: statistics.median(r[key] for r in rounds) for key in rounds[0] if key != "first_error"}
            lines.append(f"| {connections} | {name} | {middle['per_second']:,.0f} | "
                         f"{'' if name == 'crnpd' else f'{share:.2f}'} | {middle['p50_us'] / 1000:.2f} | "
                         f"{middle['p99_us'] / 1000:.2f} | {max(r['max_us'] for r in rounds) / 1000:.1f} | "
                         f"{middle['cpu_us']:.0f} |")
    return "\n".join(lines)


def fsync_time(folder):
    """Median milliseconds of appending 4 KiB and fdatasync: what a lone client has to wait for."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(200):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def machine(options):
    def output(*command):
        run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        return run.stdout.strip()

    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    filesystem = output("findmnt", "-n", "-o", "FSTYPE", "-T", str(options.build))
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "?")
    return (f"{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), {system}, "
            f"Linux {platform.release().split('-')[0]}, store on {filesystem} where appending 4 KiB with fdatasync takes "
            f"{fsync_time(options.build):.2f} ms. Commit {output('git', 'rev-parse', '--short', 'HEAD') or '?'}; "
            f"{options.rounds} rounds" + ("." if options.what == "delivery" else f" of {options.seconds:g} s after {options.warm_up:g} s of warm-up."))


def write(text, name):
    begin, end = (marker.format(name) for marker in MARKERS)
    document = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = document.partition(begin)
    _, marker, after = rest.partition(end)
    if not marker:
        raise RuntimeError(f"{DOCUMENT.name} has no {begin} … {end}")
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def run_registrations(options):
    servers = {"bare": Bare(options.build), "bare, deferred accept": Bare(options.build, "--deferred"),
               "crnpd": Crnpd(options.build)}
    return table(run_all(servers, options), options)


def run_etcd(options):
    etcd = Etcd(options.build)
    try:
        return table(run_all({"plain PUTs": etcd, "crnpd": Crnpd(options.build, etcd)}, options), options)
    finally:
        etcd.end()


COMPARISONS = {"registrations": (run_registrations, [1, 64, 256]), "etcd": (run_etcd, [1, 256]),
               "delivery": (delivery_bench.run, [1, 100, 10_000])}


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n\nIn one run", maxsplit=1)[0],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=COMPARISONS, default="registrations", help="default: registrations")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release", help=argparse.SUPPRESS)
    parser.add_argument("--connections", type=int, nargs="+", help="numbers of them, or of clients that get events")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="measured time of each (default 5)")
    parser.add_argument("--warm-up", type=float, default=3.0, help="seconds before it (default 3)")
    parser.add_argument("--deliveries", type=int, default=20_000, help="events x clients of a round of delivery (default 20000)")
    parser.add_argument("--stored", type=int, default=1_000_000, help="clients whose cost is measured by delivery (default 1000000)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    options.build = options.build.resolve()
    compare, connections = COMPARISONS[options.what]
    options.connections = options.connections or connections
    try:
        about = machine(options)
        text = f"{about}\n\n{compare(options)}"
        print(text)
        if options.write:
            write(text, options.what)
    except (RuntimeError, OSError, ValueError, AssertionError, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
