# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Registers a large number of clients, faster than one process could."""
import multiprocessing
import time

from harness import connect, event, message, read_to_end

SOURCES = 4  # 127.0.0.2 and the next ones, a process each


def register_many(address, count):
    """Clients 127.0.0.2:1 and so on, count / SOURCES of each source address, with one registration each; the seconds it took."""
    failed = multiprocessing.Value("i", 0)
    begin = time.monotonic()
    workers = [multiprocessing.Process(target=_register, args=(
        address, f"127.0.0.{2 + i}", range(1, count // SOURCES + 1), failed)) for i in range(SOURCES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (failed.value, [worker.exitcode for worker in workers]) == (0, [0] * SOURCES), "not all clients were registered"
    return time.monotonic() - begin


def _register(address, source, ports, failed):
    """Several messages on the way at a time, on plain sockets."""
    ports = list(ports)
    for start in range(0, len(ports), 32):
        group = [connect(address, source) for _ in ports[start:start + 32]]
        for connection, port in zip(group, ports[start:start + 32]):
            connection.sendall(message("ADD_CLIENT", port, event("EC_Cluster", "ESC_cluster_rg_state", rg_name=f"g{port}")))
        for connection in group:
            if b'"OK"' not in read_to_end(connection):
                failed.value += 1
            connection.close()
