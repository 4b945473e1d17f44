# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""The checker of histories accepts what may be and finds what must not."""
import unittest

from checker import violations


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


if __name__ == "__main__":
    unittest.main()
