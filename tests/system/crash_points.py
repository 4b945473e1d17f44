# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Every crash point of crnpd (common/crash_point.h): where it stands and what brings a server there.

This is the only list of them; tests/structure/crash_points_test.py compares it with the sources, and crash_points_test.py has
a server die at each.
"""
from typing import NamedTuple

# What brings a server to it. The load are clients that register, and events that are published and delivered.
LOAD = "the load"
START = "its start, or that it takes over"
STOP = "that it is told to stop, or to step down"
LEASE = "that its lease is revoked"
DEAD = "a client that is dead"
DUMP = "a dump"
STANDBY = "an event that is published on a standby, which is what dies"
NEW_FILE = "a start without a file"
RESTORE = "a restore"

SQLITE, ETCD = "sqlite", "etcd"
BOTH = (SQLITE, ETCD)


class Point(NamedTuple):
    name: str
    file: str
    by: str = LOAD
    most: int = 100  # the number of the pass at which it dies is drawn from 1 to this
    stores: tuple = BOTH
    is_committed: bool = False  # of a restore: whether all of it must be there afterwards, or nothing


POINTS = (
    # A message and its reply.
    Point("accepted", "server/intake/worker.cc"),
    Point("read", "server/intake/session.cc"),
    Point("parsed", "server/exchange/exchange.cc"),
    Point("submitted", "server/intake/worker.cc"),
    Point("before_reply", "server/intake/session.cc"),
    Point("reply_half", "server/net/connection.cc"),
    Point("reply_sent", "server/net/connection.cc"),
    Point("after_reply", "server/intake/session.cc"),
    # A batch.
    Point("decided", "server/commit/group_commit.cc"),
    Point("batch_staged", "server/commit/group_commit.cc"),
    Point("before_commit", "server/commit/group_commit.cc"),
    Point("after_commit", "server/commit/group_commit.cc"),
    Point("batch_applied", "server/commit/group_commit.cc"),
    Point("audience_told", "server/commit/group_commit.cc"),
    Point("batch_answered", "server/commit/group_commit.cc"),
    # The embedded store.
    Point("sqlite_file_written", "server/store/store_file.cc", NEW_FILE, 1, (SQLITE,)),
    Point("sqlite_file_named", "server/store/store_file.cc", NEW_FILE, 1, (SQLITE,)),
    Point("sqlite_opened", "server/store/sqlite_store.cc", START, 1, (SQLITE,)),
    Point("sqlite_wal_rewritten", "server/store/sqlite_session.cc", START, 1, (SQLITE,)),
    Point("sqlite_before_begin", "server/store/sqlite_session.cc", stores=(SQLITE,)),
    Point("sqlite_begun", "server/store/sqlite_session.cc", stores=(SQLITE,)),
    Point("sqlite_row", "server/store/sqlite_session.cc", stores=(SQLITE,)),
    Point("sqlite_rows_written", "server/store/sqlite_session.cc", stores=(SQLITE,)),
    Point("sqlite_before_commit", "server/store/sqlite_session.cc", stores=(SQLITE,)),
    Point("sqlite_after_commit", "server/store/sqlite_session.cc", stores=(SQLITE,)),
    # The replicated store.
    Point("etcd_before_commit", "server/etcd/etcd_store.cc", stores=(ETCD,)),
    Point("etcd_after_commit", "server/etcd/etcd_store.cc", stores=(ETCD,)),
    Point("lease_lost", "server/etcd/tenure.cc", LEASE, 1, (ETCD,)),
    # From the election to the resignation.
    Point("etcd_lease_granted", "server/etcd/etcd_election.cc", START, 1, (ETCD,)),
    Point("etcd_lease_noted", "server/etcd/etcd_election.cc", START, 1, (ETCD,)),
    Point("etcd_elected", "server/etcd/etcd_election.cc", START, 1, (ETCD,)),
    Point("elected", "server/failover/failover.cc", START, 1),
    Point("loading", "server/failover/failover.cc", START, 1),
    Point("etcd_before_fence", "server/etcd/loading.cc", START, 1, (ETCD,)),
    Point("etcd_after_fence", "server/etcd/loading.cc", START, 1, (ETCD,)),
    Point("loaded", "server/failover/failover.cc", START, 1),
    Point("delivery_began", "server/delivery/delivery.cc", START, 1),
    Point("taken_over", "server/failover/failover.cc", START, 1),
    Point("stepping_down", "server/failover/failover.cc", STOP, 1),
    Point("store_closed", "server/failover/failover.cc", STOP, 1),
    Point("etcd_before_resignation", "server/etcd/etcd_election.cc", STOP, 1, (ETCD,)),
    Point("etcd_after_resignation", "server/etcd/etcd_election.cc", STOP, 1, (ETCD,)),
    Point("resigned", "server/failover/failover.cc", STOP, 1),
    # Publishing.
    Point("publish_read", "server/control/event_requests.cc", most=10),
    Point("before_publish_answer", "server/control/event_requests.cc", most=10),
    Point("after_publish_answer", "server/control/event_requests.cc", most=10),
    Point("post_seen", "server/etcd/posted.cc", most=5, stores=(ETCD,)),
    Point("post_taken", "server/etcd/posted.cc", most=5, stores=(ETCD,)),
    Point("post_put", "server/etcd/posting.cc", STANDBY, 5, (ETCD,)),
    Point("post_answered", "server/etcd/posting.cc", STANDBY, 5, (ETCD,)),
    # Delivery.
    Point("before_connect", "server/delivery/courier.cc", most=50),
    Point("after_connect", "server/delivery/courier.cc", most=50),
    Point("event_half", "server/delivery/courier.cc", most=50),
    Point("document_sent", "server/delivery/courier.cc", most=50),
    Point("document_shut", "server/delivery/courier.cc", most=50),
    Point("document_acknowledged", "server/delivery/courier.cc", most=50),
    Point("event_delivered", "server/delivery/dispatcher.cc", most=50),
    Point("before_mark", "server/delivery/dispatcher.cc", most=1),
    Point("mark_stored", "server/delivery/dispatcher.cc", most=1),
    Point("client_left", "server/delivery/dispatcher_news.cc", most=10),
    Point("before_removal", "server/delivery/dispatcher.cc", DEAD, 1),
    Point("removal_answered", "server/delivery/dispatcher.cc", DEAD, 1),
    # Dump and restore.
    Point("dump_taken", "server/control/dump_requests.cc", DUMP, 1),
    Point("dump_row", "common/dump/dump_writer.cc", DUMP, 4),
    Point("restore_read", "server/control/dump_requests.cc", RESTORE, 1),
    Point("before_fill", "server/commit/group_commit.cc", RESTORE, 1),
    Point("etcd_fill_step", "server/etcd/etcd_store_fill.cc", RESTORE, 3, (ETCD,)),
    Point("etcd_last_fill_step", "server/etcd/etcd_store_fill.cc", RESTORE, 1, (ETCD,)),
    Point("after_fill", "server/commit/group_commit.cc", RESTORE, 1, is_committed=True),
    Point("fill_loaded", "server/commit/group_commit.cc", RESTORE, 1, is_committed=True),
    Point("restore_done", "server/control/dump_requests.cc", RESTORE, 1, is_committed=True),
)
