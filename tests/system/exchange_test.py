# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Sections 2, 3, 4, 5 and 8 of docs/protocol.md, row by row, on a real server."""
import os
import select
import socket
import subprocess
import threading
import unittest

from harness import (LONG, PATIENCE, Server, code_or_none, connect, crnpctl, event, exchange, in_namespaces, message,
                     parse_reply, read_to_end, reset, wait_for)

WEB = event("EC_Cluster", "ESC_cluster_rg_state", rg_name="web-rg")
DB = event("EC_Cluster", "ESC_cluster_rg_state", rg_name="db-rg")
MEMBERS = event("EC_Cluster", "ESC_cluster_membership")


class WithServer(unittest.TestCase):
    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Server(**cls.settings)
        cls.addClassCleanup(cls.server.close)
        cls.address = cls.server.address

    def says(self, code, document, **how):
        reply = exchange(self.address, document, **how)
        self.assertEqual(reply.code, code, f"{reply.text} to {str(document)[:300]}")
        return reply


class Framing(WithServer):
    """Section 2: the message ends with the end tag of its root."""

    settings = {"limits": {"message_time": "300s"}}

    def test_the_end_tag_ends_the_message_without_half_close(self):
        self.says("OK", message("ADD_CLIENT", 1, WEB))

    def test_a_half_close_is_accepted(self):
        self.says("OK", message("ADD_CLIENT", 2, WEB), half_close=True)

    def test_every_split_is_the_same_message(self):
        document = message("ADD_CLIENT", 3, WEB)
        for at in range(1, len(document)):
            with self.subTest(at=at):
                self.says("OK", [document[:at], document[at:]])
        self.assertEqual(self.server.registrations(3), ["EC_Cluster/ESC_cluster_rg_state:rg_name=web-rg"])

    def test_byte_by_byte_is_the_same_message(self):
        document = message("ADD_CLIENT", 4, WEB, MEMBERS)
        self.says("OK", [document[i:i + 1] for i in range(len(document))])
        self.assertEqual(len(self.server.registrations(4)), 2)

    def test_pieces_of_8192_bytes_are_one_message(self):
        document = message("ADD_CLIENT", 5, *(event("EC_Cluster", f"ESC_{i}", name="x" * 100) for i in range(500)))
        self.says("OK", [document[i:i + 8192] for i in range(0, len(document), 8192)])
        self.assertEqual(len(self.server.registrations(5)), 500)

    def test_white_space_comments_and_instructions_behind_the_root_are_harmless(self):
        for behind in (b"\n", b" \t\r\n", b"<!-- bye -->", b"<?php bye ?>", b"\n<!-- > -->\n"):
            document = message("ADD_CLIENT", 6, WEB)
            for pieces in ([document + behind], [document, behind]):
                with self.subTest(pieces=len(pieces), behind=behind):
                    self.says("OK", pieces)

    def test_white_space_sent_after_the_reply_does_not_reset_the_reply_away(self):
        with connect(self.address) as connection:
            connection.sendall(message("ADD_CLIENT", 6))
            select.select([connection], [], [], PATIENCE)
            connection.sendall(b"\n")
            self.assertEqual(parse_reply(read_to_end(connection)).code, "OK")

    def test_any_other_byte_behind_the_root_is_malformed_and_nothing_is_done(self):
        document = message("ADD_CLIENT", 7)
        for behind in (b"x", b"\0", document, b"<a/>", b"\n<a", b"<!-- --> x", b"\xef\xbb\xbf"):
            with self.subTest(behind=behind[:10]):
                self.says("MALFORMED", document + behind, half_close=True)
        self.assertIsNone(self.server.registrations(7))

    def test_a_part_of_something_harmless_behind_the_root_is_passed_over(self):
        for behind in (b"<", b"<!", b"<!-", b"<!-- unfinished", b"<!-- unfinished -", b"<?", b"<?php unfinished", b" \n<!-- a --><!-- b"):
            document = message("ADD_CLIENT", 9, WEB)
            for pieces in ([document + behind], [document[:-5], document[-5:] + behind]):
                for half_close in (False, True):
                    with self.subTest(behind=behind, pieces=len(pieces), half_close=half_close):
                        self.says("OK", pieces, half_close=half_close)

    def test_an_end_before_the_root_closes_is_malformed_wherever_it_comes(self):
        document = message("ADD_CLIENT", 8, WEB)
        for at in range(1, len(document)):
            with self.subTest(at=at):
                self.says("MALFORMED", document[:at], half_close=True)
        self.assertIsNone(self.server.registrations(8))


class Closing(WithServer):
    """Section 2: the reply arrives whole, then the end of file, and no reset eats it."""

    settings = {"limits": {"message_bytes": 4096}}

    def test_the_reply_is_followed_by_the_end_of_file(self):
        for _ in range(200):
            self.says("OK", message("ADD_CLIENT", 1))  # read_to_end() raises at a reset

    def test_an_early_refusal_reaches_a_client_that_is_still_sending(self):
        for size in (8192, 65536, 300_000):
            with self.subTest(size=size):
                self.says("LOW_RESOURCE", [b"<SC_CALLBACK_REG " + b" " * 5000] + [b" " * 1000] * (size // 1000))

    def test_a_malformed_start_is_refused_while_the_rest_is_on_its_way(self):
        for _ in range(20):
            self.says("MALFORMED", [b"<<<<"] + [b"x" * 30] * 100)

    def test_a_client_that_hangs_up_early_is_registered_all_the_same(self):
        for port, leave in ((10, socket.socket.close), (11, lambda connection: connection.shutdown(socket.SHUT_RDWR)),
                            (12, lambda connection: connection.shutdown(socket.SHUT_RD))):
            with self.subTest(port=port), connect(self.address) as connection:
                connection.sendall(message("ADD_CLIENT", port, WEB))
                leave(connection)
                wait_for(lambda port=port: self.server.registrations(port), "the registration")

    def test_a_client_that_resets_after_sending_leaves_all_or_nothing(self):
        for port in range(100, 200):
            connection = connect(self.address)
            connection.sendall(message("ADD_CLIENT", port, WEB))
            reset(connection)
        self.says("OK", message("ADD_CLIENT", 99))
        found = [self.server.registrations(port) for port in range(100, 200)]
        self.assertTrue(all(one in (None, ["EC_Cluster/ESC_cluster_rg_state:rg_name=web-rg"]) for one in found))

    def test_one_connection_is_one_message(self):
        with connect(self.address) as connection:
            connection.sendall(message("ADD_CLIENT", 20))
            self.assertEqual(parse_reply(read_to_end(connection)).code, "OK")


class Replies(WithServer):
    """Section 3 and 5: the order of the checks and the code of each."""

    def test_the_line_is_exactly_that_of_section_5(self):
        reply = self.says("OK", message("ADD_CLIENT", 1))
        self.assertRegex(reply.raw, rb'^<\?xml version="1\.0" encoding="UTF-8"\?><SC_REPLY VERSION="1\.0" STATUS_CODE="OK">'
                                    rb'<SC_STATUS_MSG>[^<]+</SC_STATUS_MSG></SC_REPLY>$')

    def test_what_is_not_well_formed_is_malformed_first_of_all(self):
        for document in (b"x", b"<a><b></a>", b'<SC_CALLBACK_REG PORT="1" REG_TYPE="ADD_CLIENT" VERSION="9.0"><a></SC_CALLBACK_REG>',
                         b'<SC_CALLBACK_REG PORT="1" PORT="1"/>', b"<other><</other>", b"<SC_CALLBACK_REG>&nope;</SC_CALLBACK_REG>",
                         b"<SC_CALLBACK_REG>\xff</SC_CALLBACK_REG>", b"", b"   "):
            with self.subTest(document=document):
                self.says("MALFORMED", document, half_close=True)

    def test_another_root_is_invalid_before_its_version_is_looked_at(self):
        self.says("INVALID", b'<SC_REPLY VERSION="9.0"/>')

    def test_the_version_comes_before_validity(self):
        for version, code in (("1.1", "VERSION_TOO_HIGH"), ("2.0", "VERSION_TOO_HIGH"), ("10.0", "VERSION_TOO_HIGH"),
                              ("0.9", "VERSION_TOO_LOW"), ("one", "INVALID"), ("", "INVALID")):
            with self.subTest(version=version):
                self.says(code, f'<SC_CALLBACK_REG VERSION="{version}"><UNHEARD_OF/></SC_CALLBACK_REG>'.encode())

    def test_an_absent_version_means_1_0(self):
        self.says("OK", b'<SC_CALLBACK_REG PORT="2" REG_TYPE="ADD_CLIENT"/>')

    def test_attributes_come_in_any_order(self):
        self.says("OK", b'<SC_CALLBACK_REG VERSION="1.0" REG_TYPE="ADD_CLIENT" PORT="2"/>')
        self.says("OK", b'<SC_CALLBACK_REG REG_TYPE="ADD_CLIENT" VERSION="1.0" PORT="2"/>')

    def test_what_the_table_of_section_3_does_not_have_is_invalid(self):
        one = '<SC_CALLBACK_REG PORT="3" REG_TYPE="ADD_CLIENT">{}</SC_CALLBACK_REG>'
        for body in ("<OTHER/>", "<SC_EVENT_REG/>", '<SC_EVENT_REG SUBCLASS="S"/>', "text",
                     '<SC_EVENT_REG CLASS="C"><NVPAIR><VALUE>v</VALUE><NAME>n</NAME></NVPAIR></SC_EVENT_REG>',
                     '<SC_EVENT_REG CLASS="C"><NVPAIR><NAME>n</NAME></NVPAIR></SC_EVENT_REG>',
                     '<SC_EVENT_REG CLASS="C"><NVPAIR><VALUE>v</VALUE></NVPAIR></SC_EVENT_REG>',
                     '<SC_EVENT_REG CLASS="C" OTHER="x"/>', '<SC_EVENT_REG CLASS="C">text</SC_EVENT_REG>'):
            with self.subTest(body=body):
                self.says("INVALID", one.format(body).encode())
        self.assertIsNone(self.server.registrations(3))

    def test_port_and_type_are_checked(self):
        for port in ("0", "65536", "-1", "", "x", "1.5", "99999999999999999999"):
            with self.subTest(port=port):
                self.says("INVALID", message("ADD_CLIENT", port))
        for reg_type in ("add_client", "", "REMOVE", "ADD_CLIENT x"):
            with self.subTest(reg_type=reg_type):
                self.says("INVALID", message(reg_type, 3))
        self.says("INVALID", b'<SC_CALLBACK_REG REG_TYPE="ADD_CLIENT"/>')
        self.says("INVALID", b'<SC_CALLBACK_REG PORT="3"/>')
        self.says("OK", message("ADD_CLIENT", 65535))

    def test_the_text_says_what_is_wrong_and_where(self):
        reply = self.says("INVALID", b'<SC_CALLBACK_REG PORT="3" REG_TYPE="ADD_CLIENT">\n<OTHER/></SC_CALLBACK_REG>')
        self.assertIn("line 2", reply.text)
        self.assertIn("OTHER", reply.text)

    def test_the_four_encodings_are_read(self):
        for encoding, mark in (("UTF-8", b""), ("UTF-8", b"\xef\xbb\xbf"), ("UTF-16LE", b"\xff\xfe"), ("UTF-16BE", b"\xfe\xff"),
                               ("ISO-8859-1", b""), ("US-ASCII", b"")):
            name = "J\u00fcrgen" if encoding != "US-ASCII" else "Juergen"
            declared = "UTF-16" if encoding.startswith("UTF-16") else encoding
            text = (f'<?xml version="1.0" encoding="{declared}"?><SC_CALLBACK_REG PORT="4" REG_TYPE="ADD_CLIENT">'
                    f'<SC_EVENT_REG CLASS="{name}"/></SC_CALLBACK_REG>')
            with self.subTest(encoding=encoding, mark=mark):
                self.says("OK", mark + text.encode(encoding))
                self.assertEqual(self.server.registrations(4), [name])

    def test_a_doctype_that_names_an_identifier_is_tolerated_and_an_internal_subset_is_not(self):
        rest = b'<SC_CALLBACK_REG PORT="5" REG_TYPE="ADD_CLIENT"/>'
        self.says("OK", b'<!DOCTYPE SC_CALLBACK_REG SYSTEM "sc_callback_reg.dtd">' + rest)
        self.says("OK", b'<!DOCTYPE SC_CALLBACK_REG PUBLIC "p" "http://127.0.0.1:1/x.dtd">' + rest)
        self.says("INVALID", b'<!DOCTYPE SC_CALLBACK_REG [<!ELEMENT SC_CALLBACK_REG ANY>]>' + rest)

    def test_cdata_and_escapes_are_the_same_and_nothing_is_trimmed(self):
        for value in ("<![CDATA[ a<b ]]>", " a&lt;b ", " a&#60;b ", " a<![CDATA[<]]>b "):
            with self.subTest(value=value):
                self.says("OK", f'<SC_CALLBACK_REG PORT="6" REG_TYPE="ADD_CLIENT"><SC_EVENT_REG CLASS="C"><NVPAIR><NAME>n</NAME>'
                                f'<VALUE>{value}</VALUE></NVPAIR></SC_EVENT_REG></SC_CALLBACK_REG>'.encode())
                self.assertEqual(self.server.registrations(6), ["C:n= a<b "])


class Verbs(WithServer):
    """Section 4."""

    def setUp(self):
        self.send("REMOVE_CLIENT", may_fail=True)

    def send(self, reg_type, *events, port=2001, may_fail=False):
        code = exchange(self.address, message(reg_type, port, *events)).code
        if not may_fail:
            self.assertEqual(code, "OK")
        return code

    def has(self, *registrations, port=2001):
        self.assertEqual(self.server.registrations(port), sorted(registrations))

    def test_a_client_may_have_no_registrations(self):
        self.send("ADD_CLIENT")
        self.has()

    def test_add_client_replaces_the_old_registration_as_a_whole(self):
        self.send("ADD_CLIENT", WEB, MEMBERS)
        self.send("ADD_CLIENT", DB)
        self.has("EC_Cluster/ESC_cluster_rg_state:rg_name=db-rg")

    def test_add_events_adds_and_skips_what_is_there(self):
        self.send("ADD_CLIENT", event("A"))
        self.send("ADD_EVENTS", event("A"), event("B"), event("B"))
        self.has("A", "B")

    def test_remove_events_removes_and_skips_what_is_not_there(self):
        self.send("ADD_CLIENT", event("A"), event("B"))
        self.send("REMOVE_EVENTS", event("A"), event("C"))
        self.has("B")

    def test_remove_events_with_pairs_removes_exactly_those(self):
        self.send("ADD_CLIENT", WEB, DB, event("EC_Cluster", "ESC_cluster_rg_state"))
        self.send("REMOVE_EVENTS", WEB)
        self.has("EC_Cluster/ESC_cluster_rg_state", "EC_Cluster/ESC_cluster_rg_state:rg_name=db-rg")

    def test_remove_events_without_pairs_removes_all_of_class_and_subclass(self):
        self.send("ADD_CLIENT", WEB, DB, MEMBERS)
        self.send("REMOVE_EVENTS", event("EC_Cluster", "ESC_cluster_rg_state"))
        self.has("EC_Cluster/ESC_cluster_membership")

    def test_remove_events_without_subclass_removes_all_of_the_class(self):
        self.send("ADD_CLIENT", WEB, MEMBERS, event("EC_Cluster"), event("EC_Other"))
        self.send("REMOVE_EVENTS", event("EC_Cluster"))
        self.has("EC_Other")

    def test_pairs_compare_as_a_set_and_values_in_order(self):
        self.send("ADD_CLIENT", event("C", "S", a="1", b="2"))
        self.send("ADD_EVENTS", event("C", "S", b="2", a="1"), event("C", "S", x=["1", "2"]), event("C", "S", x=["2", "1"]))
        self.has("C/S:a=1,b=2", "C/S:x=1|2", "C/S:x=2|1")

    def test_an_unknown_client_gets_fail(self):
        for reg_type in ("ADD_EVENTS", "REMOVE_EVENTS", "REMOVE_CLIENT"):
            with self.subTest(reg_type):
                self.assertEqual(self.send(reg_type, WEB, port=777, may_fail=True), "FAIL")
        self.assertIsNone(self.server.registrations(777))

    def test_a_removed_client_is_remembered_and_unknown(self):
        self.send("ADD_CLIENT", WEB)
        self.send("REMOVE_CLIENT", DB)  # the list is ignored
        self.assertIsNone(self.server.registrations(2001))
        self.send("REMOVE_CLIENT")
        self.assertEqual(self.send("ADD_EVENTS", WEB, may_fail=True), "FAIL")
        self.assertEqual(self.send("REMOVE_EVENTS", WEB, may_fail=True), "FAIL")

    def test_a_removal_is_remembered_across_a_restart(self):
        with Server() as server:
            self.assertEqual(server.code("ADD_CLIENT", 1), "OK")
            self.assertEqual(server.code("REMOVE_CLIENT", 1), "OK")
            self.assertEqual(server.stop(), 0)
            server.restart()
            self.assertEqual(server.code("REMOVE_CLIENT", 1), "OK")
            self.assertEqual(server.code("REMOVE_CLIENT", 2), "FAIL")

    def test_a_removal_is_forgotten_after_its_time(self):
        with Server(limits={"removal_memory": "1s", "message_time": "1s"}) as server:
            self.assertEqual(server.code("ADD_CLIENT", 1), "OK")
            self.assertEqual(server.code("REMOVE_CLIENT", 1), "OK")
            wait_for(lambda: server.code("REMOVE_CLIENT", 1) == "FAIL", "the end of removal_memory")

    def test_the_identity_is_the_source_address_and_the_port(self):
        self.assertEqual(exchange(self.address, message("ADD_CLIENT", 2001, WEB), source="127.0.0.2").code, "OK")
        self.assertIsNone(self.server.registrations(2001))
        self.assertEqual(len(self.server.registrations(2001, "127.0.0.2")), 1)

    def test_messages_of_one_client_take_effect_one_after_another(self):
        self.send("ADD_CLIENT")
        threads = [threading.Thread(target=self.send, args=("ADD_EVENTS", event(f"C{i}"))) for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.has(*(f"C{i}" for i in range(40)))


class LostReplies(WithServer):
    """Section 4: whoever got no reply sends the same again and gets the answer that the first attempt earned."""

    settings = {"max_clients": 10_000}

    def lose(self, document, length):
        """Reads so many bytes of the reply and hangs up the hard way."""
        connection = connect(self.address)
        connection.sendall(document)
        for _ in range(length):
            connection.recv(1)
        reset(connection)

    def test_500_lost_replies_change_no_answer(self):
        whole = len(exchange(self.address, message("ADD_CLIENT", 1)).raw)
        known = {"ADD_CLIENT": "OK", "ADD_EVENTS": "OK", "REMOVE_EVENTS": "OK", "REMOVE_CLIENT": "OK"}
        for i in range(5000 if LONG else 500):
            port = 1000 + i % 50
            reg_type = ("ADD_CLIENT", "ADD_EVENTS", "REMOVE_EVENTS", "REMOVE_CLIENT")[i // 50 % 4]
            document = message(reg_type, port, event(f"C{i // 50}"))
            self.lose(document, (0, 1, whole - 1)[i % 3])
            self.assertEqual(exchange(self.address, document).code, known[reg_type], reg_type)

    def test_what_fails_fails_again(self):
        for reg_type in ("ADD_EVENTS", "REMOVE_EVENTS", "REMOVE_CLIENT"):
            document = message(reg_type, 9999, WEB)
            for length in (0, 1, 50):
                self.lose(document, length)
                self.assertEqual(exchange(self.address, document).code, "FAIL")


class Limits(unittest.TestCase):
    """Section 2 and 5: what is too much is refused truthfully."""

    def test_max_clients_refuses_new_clients_only(self):
        with Server(max_clients=2) as server:
            self.assertEqual([server.code("ADD_CLIENT", port) for port in (1, 2, 3)], ["OK", "OK", "LOW_RESOURCE"])
            self.assertEqual(server.code("ADD_CLIENT", 2, WEB), "OK")
            self.assertEqual(server.code("REMOVE_CLIENT", 1), "OK")
            self.assertEqual(server.code("ADD_CLIENT", 3), "OK")
            self.assertEqual(sorted(server.clients()), ["127.0.0.1:2", "127.0.0.1:3"])

    def test_a_message_that_is_too_large_is_refused(self):
        with Server(limits={"message_bytes": 4096}) as server:
            fits = message("ADD_CLIENT", 1, event("C", n="x" * 3000))
            self.assertEqual(server.exchange(fits).code, "OK")
            self.assertEqual(server.code("ADD_CLIENT", 1, event("C", n="x" * 5000)), "LOW_RESOURCE")
            self.assertEqual(server.registrations(1), ["C:n=" + "x" * 3000])

    def test_the_limit_is_the_same_however_the_message_is_split(self):
        base = message("ADD_CLIENT", 1, event("C", n=""))
        with Server(limits={"message_bytes": 4096}) as server:
            for size, code in ((4096, "OK"), (4097, "LOW_RESOURCE")):
                document = message("ADD_CLIENT", 1, event("C", n="x" * (size - len(base))))
                self.assertEqual(len(document), size)
                for pieces in ([document], [document[:4000], document[4000:]], [document[:-1], document[-1:]]):
                    self.assertEqual(server.exchange(pieces).code, code)

    def test_too_many_registrations_of_one_client_are_refused(self):
        with Server(limits={"registrations_per_client": 3}) as server:
            self.assertEqual(server.code("ADD_CLIENT", 1, *(event(f"C{i}") for i in range(4))), "LOW_RESOURCE")
            self.assertEqual(server.code("ADD_CLIENT", 1, *(event(f"C{i}") for i in range(3))), "OK")
            self.assertEqual(server.code("ADD_EVENTS", 1, event("C9")), "LOW_RESOURCE")
            self.assertEqual(server.code("ADD_EVENTS", 1, event("C0")), "OK")
            self.assertEqual(server.registrations(1), ["C0", "C1", "C2"])

    def test_a_message_that_is_not_complete_in_time_gets_retry(self):
        with Server(limits={"message_time": "500ms"}) as server:
            for begin in (b"", b"<", message("ADD_CLIENT", 1, WEB)[:-1]):
                with self.subTest(begin=begin):
                    self.assertEqual(server.exchange([begin] if begin else []).code, "RETRY")
            self.assertEqual(server.clients(), {})

    def test_one_address_has_so_many_connections_and_others_still_get_in(self):
        with Server(limits={"connections_per_address": 3, "message_time": "60s"}) as server:
            address = server.address
            held = [connect(address, source="127.0.0.2") for _ in range(3)]
            for connection in held:
                connection.sendall(b"<")
            wait_for(lambda: server.status()["connections"] == 3, "three connections")
            self.assertEqual(exchange(address, message("ADD_CLIENT", 1), source="127.0.0.2").code, "LOW_RESOURCE")
            self.assertEqual(exchange(address, message("ADD_CLIENT", 1), source="127.0.0.3").code, "OK")
            for connection in held:
                connection.close()
            wait_for(lambda: code_or_none(address, message("ADD_CLIENT", 1), "127.0.0.2") == "OK", "room for the address")

    def test_connections_above_the_limit_wait_and_are_served(self):
        with Server(limits={"connections": 4, "connections_per_address": 4, "message_time": "60s"}, workers=1) as server:
            address = server.address
            held = [connect(address) for _ in range(4)]
            for connection in held:
                connection.sendall(b"<")
            wait_for(lambda: server.status()["connections"] == 4, "four connections")
            with connect(address) as waiting:
                waiting.sendall(message("ADD_CLIENT", 1))
                server.wait_for_log("CRNPD-NET-005")
                self.assertEqual(select.select([waiting], [], [], 0)[0], [])
                for connection in held:
                    connection.close()
                self.assertEqual(parse_reply(read_to_end(waiting)).code, "OK")


class Access(unittest.TestCase):
    """Section 8."""

    def test_a_refused_host_gets_fail_and_the_log_says_why(self):
        with Server(allow_hosts=["127.0.0.2", "127.0.1.0/24"], deny_hosts=["127.0.1.7"]) as server:
            for source, code in (("127.0.0.1", "FAIL"), ("127.0.0.2", "OK"), ("127.0.1.9", "OK"), ("127.0.1.7", "FAIL"),
                                 ("127.0.2.1", "FAIL")):
                with self.subTest(source):
                    self.assertEqual(server.code("ADD_CLIENT", 1, source=source), code)
            self.assertEqual(len(server.wait_for_log("CRNPD-REG-003", count=3)), 3)
            self.assertEqual(sorted(server.clients()), ["127.0.0.2:1", "127.0.1.9:1"])

    def test_access_is_checked_before_the_message_is_read(self):
        with Server(allow_hosts=["127.0.0.2"]) as server:
            for document in (b"no xml at all", message("ADD_CLIENT", 0), b"<" + b"x" * 200_000):
                self.assertEqual(server.exchange(document).code, "FAIL")

    def test_local_and_all_and_none(self):
        for allow, deny, code in ((["LOCAL"], [], "OK"), (["ALL"], [], "OK"), ([], [], "FAIL"), (["ALL"], ["LOCAL"], "FAIL")):
            with self.subTest(allow=allow, deny=deny), Server(allow_hosts=allow, deny_hosts=deny) as server:
                self.assertEqual(server.code("ADD_CLIENT", 1), code)

    @unittest.skipUnless(os.path.exists("/proc/net/if_inet6"), "this machine has no IPv6")
    def test_ipv6_clients_register_on_an_ipv6_socket(self):
        with Server(listen=["[::1]:0"]) as server:
            self.assertEqual(exchange(server.address, message("ADD_CLIENT", 1, WEB)).code, "OK")
            self.assertEqual(len(server.registrations(1, "::1")), 1)

    @unittest.skipUnless(os.path.exists("/proc/net/if_inet6"), "this machine has no IPv6")
    def test_both_families_share_a_port_and_an_ipv6_socket_takes_no_ipv4(self):
        with Server(listen=["[::]:0"]) as server, self.assertRaises(ConnectionRefusedError):
            connect(("127.0.0.1", server.address[1]))
        with Server(listen=["0.0.0.0:0"]) as server:
            port = server.address[1]
            server.write_config(listen=["0.0.0.0:0", f"[::]:{port}"])
            self.assertTrue(server.reload())
            self.assertEqual(exchange(("127.0.0.1", port), message("ADD_CLIENT", 1)).code, "OK")
            self.assertEqual(exchange(("::1", port), message("ADD_CLIENT", 1)).code, "OK")
            self.assertEqual(sorted(server.clients()), ["127.0.0.1:1", "[::1]:1"])

    def test_a_mapped_address_is_the_ipv4_address(self):
        with Server(allow_hosts=["::ffff:127.0.0.1"]) as server:
            self.assertEqual(server.code("ADD_CLIENT", 1), "OK")
            self.assertEqual(len(server.ask(request="client-show", client="[::ffff:127.0.0.1]:1")[0]["events"]), 0)
            answer = server.ask(request="access-test", address="::ffff:127.0.0.1")[0]
            self.assertTrue(answer["allowed"])

    @in_namespaces("--net")
    def test_local_follows_the_interfaces(self):
        def ip(*words):
            subprocess.run(["ip", *words], check=True)

        ip("link", "set", "lo", "up")
        ip("link", "add", "one", "type", "veth", "peer", "name", "other")
        ip("link", "set", "one", "up")
        with Server(listen=["0.0.0.0:0"]) as server:
            port = server.address[1]

            def allowed(address):
                return server.ask(request="access-test", address=address)[0]["allowed"]

            self.assertFalse(allowed("192.0.2.9"))
            ip("address", "add", "192.0.2.1/24", "dev", "one")
            wait_for(lambda: allowed("192.0.2.9"), "192.0.2.0/24 in LOCAL")
            self.assertEqual(exchange(("192.0.2.1", port), message("ADD_CLIENT", 1), source="192.0.2.1").code, "OK")

            # A source that is ours but not in a connected subnet: only with the second address it becomes LOCAL.
            ip("route", "add", "local", "198.51.100.5", "dev", "lo")
            self.assertEqual(exchange(("127.0.0.1", port), message("ADD_CLIENT", 2), source="198.51.100.5").code, "FAIL")
            ip("address", "add", "198.51.100.1/24", "dev", "one")
            wait_for(lambda: exchange(("127.0.0.1", port), message("ADD_CLIENT", 2), source="198.51.100.5").code == "OK",
                     "198.51.100.0/24 in LOCAL")
            ip("address", "del", "198.51.100.1/24", "dev", "one")
            wait_for(lambda: not allowed("198.51.100.5"), "198.51.100.0/24 out of LOCAL")
            self.assertEqual(exchange(("127.0.0.1", port), message("ADD_CLIENT", 3), source="198.51.100.5").code, "FAIL")
            server.wait_for_log("CRNPD-NET-006")

    @in_namespaces("--net")
    def test_a_client_with_the_servers_own_address_is_registered_and_warned_of(self):
        """The first trap of section 9."""
        for words in ("link set lo up", "link add one type veth peer name other", "link set one up",
                      "address add 192.0.2.1/24 dev one", "address add 192.0.2.2/24 dev one"):
            subprocess.run(["ip", *words.split()], check=True)
        with Server(listen=["0.0.0.0:0"], max_clients=4) as server:
            port = server.address[1]
            said = (("192.0.2.1", "192.0.2.1", "ADD_CLIENT", 1, "OK"),  # the only one to warn of
                    ("192.0.2.1", "192.0.2.2", "ADD_CLIENT", 2, "OK"), ("127.0.0.1", "127.0.0.1", "ADD_CLIENT", 3, "OK"),
                    ("192.0.2.1", "192.0.2.1", "ADD_EVENTS", 1, "OK"), ("192.0.2.1", "192.0.2.1", "ADD_EVENTS", 9, "FAIL"),
                    ("192.0.2.2", "192.0.2.1", "ADD_CLIENT", 4, "OK"), ("192.0.2.2", "192.0.2.2", "ADD_CLIENT", 5, "LOW_RESOURCE"))
            for to, source, reg_type, client, code in said:
                self.assertEqual(exchange((to, port), message(reg_type, client, WEB), source=source).code, code)
            server.wait_for_log("CRNPD-REG-001", count=len(said))
            self.assertEqual([line["client"] for line in server.log("CRNPD-REG-004")], ["192.0.2.1:1"])
            self.assertEqual(len(server.registrations(1, "192.0.2.1")), 1)

    def test_crnpctl_names_the_entry_that_decides(self):
        with Server(allow_hosts=["127.0.0.0/8"], deny_hosts=["127.9.0.0/16"]) as server:
            out = crnpctl("--socket", server.socket, "access", "test", "127.9.0.1").stdout.decode()
            self.assertIn("127.9.0.0/16", out)
            self.assertIn("refused", out)


if __name__ == "__main__":
    unittest.main()
