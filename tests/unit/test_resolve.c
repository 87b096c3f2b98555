/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames as scapy writes them. */
#include "proto_test.h"

#include "proto/resolve.h"

#define HOST "020000000001"
#define PEER "0247ac130103"

static const char arp_question[] =
	"ffffffffffff " HOST " 0806 0001 0800 06 04 0001 " HOST " c0a80801 000000000000 c0a8080c";
static const char arp_answer[] =
	HOST " " PEER " 0806 0001 0800 06 04 0002 " PEER " c0a8080c " HOST " c0a80801";
static const char nd_question[] =
	"3333ff000012 " HOST " 86dd 60000000 0020 3a ff fd080000000000000000000000000001 "
	"ff0200000000000000000001ff000012 87 00 7d67 00000000 fd080000000000000000000000000012 "
	"0101 " HOST;
static const char nd_answer[] =
	HOST " " PEER " 86dd 60000000 0020 3a ff fd080000000000000000000000000012 "
	     "fd080000000000000000000000000001 88 00 ef05 e0000000 "
	     "fd080000000000000000000000000012 0201 " PEER;
static const char nd_open[] =
	"3333ff000012 " HOST " 86dd 60000000 0018 3a ff 00000000000000000000000000000000 "
	"ff0200000000000000000001ff000012 87 00 7d7b 00000000 fd080000000000000000000000000012";

static struct ip_addr ip(const char *text)
{
	struct ip_addr addr;

	assert_true(addr_parse(text, &addr));
	return addr;
}

static void test_question(void **state)
{
	static const struct {
		const char *frame, *from, *target;
	} rows[] = {
		{arp_question, "192.168.8.1", "192.168.8.12"},
		{nd_question, "fd08::1", "fd08::12"},
		{nd_open, "::", "fd08::12"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t frame[128], mac[8];
		size_t len = hex_decode(rows[i].frame, frame, sizeof frame);
		struct ip_addr from = ip(rows[i].from), target = ip(rows[i].target);
		struct resolve_question q;

		hex_decode(HOST, mac, sizeof mac);
		CHECK_ROW(i, rows[i].target, resolve_question(frame, frame + len, &q));
		CHECK_ROW(i, rows[i].target, addr_equal(&q.from, &from));
		CHECK_ROW(i, rows[i].target, addr_equal(&q.target, &target));
		CHECK_ROW(i, rows[i].target, memcmp(q.mac, mac, sizeof q.mac) == 0);
		CHECK_ROW(i, rows[i].target, resolve_is_local(frame, frame + len));
	}
}

static void test_answer(void **state)
{
	static const struct {
		const char *question, *answer;
	} rows[] = {{arp_question, arp_answer}, {nd_question, nd_answer}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t frame[128], wanted[128], got[RESOLVE_ANSWER_MAX], mac[8];
		size_t len = hex_decode(rows[i].question, frame, sizeof frame);
		size_t wanted_len = hex_decode(rows[i].answer, wanted, sizeof wanted);
		struct resolve_question q;

		hex_decode(PEER, mac, sizeof mac);
		CHECK_ROW(i, rows[i].question, resolve_question(frame, frame + len, &q));
		CHECK_ROW(i, rows[i].question, resolve_answer(got, &q, mac) == wanted_len);
		CHECK_ROW(i, rows[i].question, memcmp(got, wanted, wanted_len) == 0);
	}
}

/* What is no question, but may belong to them. */
static void test_others(void **state)
{
	static const struct {
		const char *name, *frame;
		bool local;
	} rows[] = {
		{"an answer", arp_answer, true},
		{"an advertisement", nd_answer, true},
		{"an IPv4 packet",
		 HOST " " PEER " 0800 45000014 00000000 40 00 0000 0a000001 "
		      "0a000002",
		 false},
		{"ARP of another hardware",
		 "ffffffffffff " HOST " 0806 0006 0800 06 04 0001 " HOST
		 " c0a80801 000000000000 c0a8080c",
		 true},
		{"a solicitation that a router passed on",
		 "3333ff000012 " HOST " 86dd 60000000 0018 3a fe 00000000000000000000000000000000 "
		 "ff0200000000000000000001ff000012 87 00 7d7b 00000000 "
		 "fd080000000000000000000000000012",
		 false},
		{"a router solicitation",
		 "333300000002 " HOST " 86dd 60000000 0018 3a ff 00000000000000000000000000000000 "
		 "ff020000000000000000000000000002 85 00 0000 00000000 "
		 "fd080000000000000000000000000012",
		 false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t frame[128];
		size_t len = hex_decode(rows[i].frame, frame, sizeof frame);
		struct resolve_question q;

		CHECK_ROW(i, rows[i].name, !resolve_question(frame, frame + len, &q));
		CHECK_ROW(i, rows[i].name, resolve_is_local(frame, frame + len) == rows[i].local);
	}
}

static void test_short(void **state)
{
	static const char *const frames[] = {arp_question, nd_open};

	(void)state;
	for (size_t i = 0; i < COUNT(frames); i++) {
		uint8_t frame[128];
		size_t whole = hex_decode(frames[i], frame, sizeof frame);

		for (size_t len = 0; len < whole; len++) {
			uint8_t *exact = exact_copy(frame, len);
			struct resolve_question q;

			assert_false(resolve_question(exact, exact + len, &q));
			(void)resolve_is_local(exact, exact + len);
			exact_free(exact, len);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
