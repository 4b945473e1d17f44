# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""The checker of histories accepts what may be and finds what must not."""
import unittest

from checker import fencing_violations, violations


def sent(verb, *events, code="OK", client="c"):
    return {"client": client, "verb": verb, "events": list(events), "code": code}


def seen(*events, client="c"):
    return {"client": client, "seen": list(events)}


GONE = {"client": "c", "seen": None}


class WhatMayBe(unittest.TestCase):
    def accepts(self, *history):
        self.assertEqual(violations(history), [])

    def test_acknowledged_messages_in_order(self):
        self.accepts(sent("ADD_CLIENT", "A"), sent("ADD_EVENTS", "B"), seen("A", "B"), sent("REMOVE_EVENTS", "A"), seen("B"),
                     sent("REMOVE_CLIENT"), GONE, sent("REMOVE_CLIENT"))

    def test_silence_is_done_or_not_done(self):
        self.accepts(sent("ADD_CLIENT", "A"), sent("ADD_EVENTS", "B", code=None), seen("A", "B"))
        self.accepts(sent("ADD_CLIENT", "A"), sent("ADD_EVENTS", "B", code=None), seen("A"))

    def test_a_repetition_is_answered_as_the_first_would_have_been(self):
        self.accepts(sent("ADD_CLIENT", "A"), sent("REMOVE_CLIENT", code=None), sent("REMOVE_CLIENT"), GONE)
        self.accepts(sent("ADD_EVENTS", "A", code=None), sent("ADD_EVENTS", "A", code="FAIL"), GONE)

    def test_a_refusal_changes_nothing(self):
        self.accepts(sent("ADD_CLIENT", "A"), sent("ADD_CLIENT", "B", code="RETRY"), seen("A"))

    def test_clients_are_independent(self):
        self.accepts(sent("ADD_CLIENT", "A"), sent("ADD_CLIENT", "B", client="d"), seen("A"), seen("B", client="d"))


class WhatMustNotBe(unittest.TestCase):
    def finds(self, *history):
        self.assertEqual(len(violations(history)), 1)

    def test_a_lost_ok(self):
        self.finds(sent("ADD_CLIENT", "A"), GONE)
        self.finds(sent("ADD_CLIENT", "A"), sent("ADD_EVENTS", "B"), seen("A"))
        self.finds(sent("ADD_CLIENT", "A"), sent("REMOVE_CLIENT"), seen("A"))

    def test_a_refusal_that_was_done_all_the_same(self):
        for code in ("RETRY", "LOW_RESOURCE", "SYSTEM_ERROR", "INVALID", "MALFORMED"):
            self.finds(sent("ADD_CLIENT", "A"), sent("ADD_CLIENT", "B", code=code), seen("B"))
        self.finds(sent("ADD_EVENTS", "A", code="FAIL"), seen("A"))

    def test_a_state_that_flips_after_it_was_seen(self):
        self.finds(sent("ADD_CLIENT", "A"), sent("ADD_CLIENT", "B", code=None), seen("A"), seen("B"))
        self.finds(sent("ADD_CLIENT", "A"), sent("ADD_CLIENT", "B", code=None), seen("B"), seen("A"))

    def test_half_a_message(self):
        self.finds(sent("ADD_CLIENT", "A", "B", code=None), seen("A"))

    def test_a_state_that_nobody_asked_for(self):
        self.finds(sent("ADD_CLIENT", "A"), seen("A", "B"))

    def test_the_wrong_answer_to_a_repetition(self):
        self.finds(sent("ADD_CLIENT", "A"), sent("REMOVE_CLIENT", code=None), sent("REMOVE_CLIENT", code="FAIL"))
        self.finds(sent("ADD_EVENTS", "A", code="OK"))

    def test_an_old_state_that_comes_back(self):
        self.finds(sent("ADD_CLIENT", "A"), sent("ADD_CLIENT", "B"), sent("ADD_CLIENT", "C", code=None), seen("A"))

    def test_the_text_names_the_client_and_the_entry(self):
        text = violations([sent("ADD_CLIENT", "A"), GONE])[0]
        self.assertIn("c: entry 1", text)


def leads(revision, term):
    return {"revision": revision, "leader": term}


def commit(revision, term, batch, rows=1):
    return {"revision": revision, "term": term, "batch": batch, "rows": rows}


class Fencing(unittest.TestCase):
    def finds(self, words, *changes):
        found = fencing_violations(changes)
        self.assertEqual(len(found), 1, found)
        self.assertIn(words, found[0])

    def test_one_leader_after_the_other_may_commit(self):
        self.assertEqual(fencing_violations([leads(3, 3), commit(4, 3, 1), commit(5, 3, 2), leads(6, None), leads(7, 7), commit(9, 7, 3)]), [])
        self.assertEqual(fencing_violations([leads(3, 3), leads(4, 4), commit(5, 4, 1)]), [])
        self.assertEqual(fencing_violations([leads(3, 3), commit(4, 3, 1), leads(5, 5), commit(6, 5, 1, rows=0), commit(7, 5, 2)]), [])

    def test_a_late_commit_of_the_one_before_is_found(self):
        found = fencing_violations([leads(3, 3), commit(4, 3, 1), leads(5, None), leads(6, 6), commit(7, 6, 2), commit(8, 3, 3)])
        self.assertEqual(len(found), 2)
        self.assertIn("a commit of term 3 while 6 leads", found[0])
        self.finds("a commit of term 3 while 6 leads", leads(3, 3), leads(6, 6), commit(7, 3, 1))

    def test_a_commit_that_nobody_may_make_is_found(self):
        self.finds("while nobody leads", leads(3, 3), commit(4, 3, 1), leads(5, None), commit(6, 3, 2))

    def test_a_commit_that_is_missing_or_done_twice_is_found(self):
        self.finds("'batch': 3", leads(3, 3), commit(4, 3, 1), commit(5, 3, 3))
        self.finds("'batch': 1", leads(3, 3), commit(4, 3, 1), commit(5, 3, 1))
        self.finds("'batch': 1", leads(3, 3), commit(4, 3, 1), leads(5, 5), commit(6, 5, 1))
        self.finds("'batch': 3", leads(3, 3), commit(4, 3, 1, rows=0), commit(5, 3, 3, rows=0))
        self.finds("'batch': 1", leads(3, 3), commit(4, 3, 2), commit(5, 3, 1, rows=0))

    def test_rows_that_changed_by_themselves_are_found(self):
        self.finds("outside of a commit", leads(3, 3), commit(4, 3, 1), {"revision": 5, "stray": 1})

    def test_a_term_that_comes_again_is_found(self):
        self.finds("comes after", leads(3, 3), leads(7, 7), leads(8, 3))


if __name__ == "__main__":
    unittest.main()
