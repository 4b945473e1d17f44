# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Many messages, and memory stays where it is."""
import multiprocessing
import random
import unittest

from harness import LONG, SANITIZED, Server, connect, event, message, read_to_end

# A sanitizer keeps freed memory aside and counts for itself: there the run shows that nothing else breaks.
MESSAGES = 1_000_000 if LONG else 10_000 if SANITIZED else 50_000
ROUNDS = 10
WORKERS = 4


def work(address, source, seed, count, wrong):
    """A usual mix: new clients, changes, leaves, and now and then a message that is refused."""
    chance = random.Random(seed)
    for _ in range(count):
        port = chance.randrange(1, 200)
        verb = chance.choice(("ADD_CLIENT", "ADD_CLIENT", "ADD_EVENTS", "REMOVE_EVENTS", "REMOVE_CLIENT"))
        document = message(verb, port, *(event("EC_Cluster", f"ESC_{chance.randrange(50)}", name="x" * chance.randrange(200))
                                         for _ in range(chance.randrange(5))))
        if chance.random() < 0.02:
            document = document[:-1] + b"<"
        with connect(address, source) as connection:
            connection.sendall(document)
            reply = read_to_end(connection)
        if b"STATUS_CODE=" not in reply or b"SYSTEM_ERROR" in reply or b"RETRY" in reply:
            wrong.value += 1


class Soak(unittest.TestCase):
    def test_memory_is_flat(self):
        wrong = multiprocessing.Value("i", 0)
        # Each removal is remembered; the number of clients, and so of removals, is what bounds them.
        with Server(max_clients=100_000, log={"level": "info"}) as server:
            sizes = []
            for turn in range(ROUNDS):
                workers = [multiprocessing.Process(target=work, args=(
                    server.address, f"127.0.0.{2 + i}", turn * WORKERS + i, MESSAGES // ROUNDS // WORKERS, wrong)) for i in range(WORKERS)]
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.join()
                self.assertEqual((wrong.value, [worker.exitcode for worker in workers]), (0, [0] * WORKERS))
                sizes.append(server.memory())
            print(f"# {MESSAGES} messages; resident MiB after each tenth: {' '.join(f'{size / 2**20:.1f}' for size in sizes)}")
            if not SANITIZED:
                # The first tenths fill caches: SQLite's pages, the WAL's index, the allocator's arenas.
                self.assertLess(sizes[-1], sizes[ROUNDS // 3] + 4 * 2**20)
            status = server.status()
            self.assertEqual(status["connections"], 0)
            self.assertEqual(sum(status["replies"].values()), MESSAGES // ROUNDS // WORKERS * WORKERS * ROUNDS)
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
