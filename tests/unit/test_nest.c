/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many outer packets may lie in a passenger, and that nothing behind its end is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dp/nest.h"
#include "dp/tunnel.h"
#include "dp/worker.h"
#include "proto/gre.h"
#include "proto/gue.h"
#include "proto/udp.h"

#define UDP_PORT 4754
#define TUNNELS	 7 /* from 192.0.2.10 on; the last one is in UDP. 'x' is nobody's. */
#define ROOM	 512

static struct worker worker = {.udp_ports = {.count = 1, .ports = {UDP_PORT}}};
static struct port ports[TUNNELS];

static int set_up(void **state)
{
	(void)state;
	if (table_init(&worker.table))
		return -1;
	for (unsigned i = 0; i < TUNNELS; i++) {
		struct dp_params *p = &ports[i].params;

		ports[i].worker = &worker;
		p->local = (struct ip_addr){.family = IP_V4, .bytes = {192, 0, 2, 1}};
		p->remote =
			(struct ip_addr){.family = IP_V4, .bytes = {192, 0, 2, (uint8_t)(10 + i)}};
		p->udp_port = i == TUNNELS - 1 ? UDP_PORT : 0;
		p->has_ikey = i & 1; /* plays no part */
		if (table_insert(&worker.table, &ports[i]))
			return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	table_free(&worker.table);
	return 0;
}

/* The packet of the tunnels named by digits, the first outermost (g: the last one of them, with a
 * header of GUE), around 20 octets that are no packet; at the end of `room`. Returns where it
 * begins. */
static uint8_t *nested(uint8_t room[ROOM], const char *names)
{
	uint8_t *end = room + ROOM, *at = end - 20;

	memset(room, 0, ROOM);
	for (size_t i = strlen(names); i-- > 0;) {
		bool gue = names[i] == 'g';
		char name = gue ? '0' + TUNNELS - 1 : names[i];
		bool udp = name == '0' + TUNNELS - 1;
		uint8_t last = name == 'x' ? 99 : (uint8_t)(10 + name - '0');
		struct gre_header gre = {.protocol = GRE_PROTOCOL_IPV4};
		struct ip_outer ip = {.family = IP_V4,
				      .protocol = udp ? IP_PROTOCOL_UDP : IP_PROTOCOL_GRE,
				      .src = (uint8_t[]){192, 0, 2, last},
				      .dst = (uint8_t[]){192, 0, 2, 1}};

		at -= GRE_LENGTH_MIN;
		gre_encode(at, &gre);
		if (gue) {
			at -= GUE_LENGTH;
			gue_encode(at);
		}
		if (udp) {
			at -= UDP_HEADER_LENGTH;
			udp_encode(at, &(struct udp_header){.destination = UDP_PORT});
		}
		ip.payload_len = (uint32_t)(end - at);
		at -= IP4_HEADER_LENGTH;
		ip_outer_encode(at, &ip);
	}
	return at;
}

static const struct {
	const char *names;
	unsigned port;
	bool deep;
} rows[] = {
	/*  0 */ {"", 0, false},     {"0", 0, true},	 {"1", 0, false},
	/*  3 */ {"1", 1, true},     {"10", 0, true},	 {"12", 0, false},
	/*  6 */ {"1234", 0, false}, {"12340", 0, true}, {"12345", 0, true},
	/*  9 */ {"6", 0, false},    {"6", 6, true},	 {"60", 0, true},
	/* 12 */ {"x0", 0, false},   {"1x0", 0, false},	 {"1616", 0, false},
	/* 15 */ {"16160", 0, true}, {"11111", 0, true}, {"xxxxxxxx", 0, false},
	/* 18 */ {"g", 6, true},     {"g0", 0, true},	 {"1g12", 0, false},
};

static void layers_are_counted(void **state)
{
	uint8_t room[ROOM];
	struct ip_info ip;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t *p = nested(room, rows[i].names);
		const struct port *port = &ports[rows[i].port];
		bool deep = ip_decode(p, room + ROOM, &ip) &&
			    nest_is_too_deep(port, &ip, p, room + ROOM);

		if (deep != rows[i].deep)
			fail_msg("row %zu: %d", i, deep);
	}
}

/* The packet whole, its outermost length set right, and each of its beginnings: what lies behind
 * the end is nobody's (AddressSanitizer sees a read of it). */
static void cut_short(void **state)
{
	uint8_t room[ROOM], *p = nested(room, "123g60");
	struct ip_info ip;

	(void)state;
	for (size_t len = IP4_HEADER_LENGTH; len <= (size_t)(room + ROOM - p); len++) {
		uint8_t *piece = malloc(len);

		assert_non_null(piece);
		memcpy(piece, p, len);
		put_be16(piece + 2, (uint16_t)len);
		assert_true(ip_decode(piece, piece + len, &ip));
		nest_is_too_deep(&ports[0], &ip, piece, piece + len);
		free(piece);
	}
}

/* Of a piece of a packet the addresses are enough, unless it is of UDP. */
static void fragments(void **state)
{
	uint8_t room[ROOM];
	struct ip_info ip;

	(void)state;
	for (unsigned port = 0; port < TUNNELS; port += TUNNELS - 1) {
		uint8_t *p = nested(room, port ? "6" : "0");

		put_be16(p + 6, 3);
		assert_true(ip_decode(p, room + ROOM, &ip));
		assert_int_equal(nest_is_too_deep(&ports[port], &ip, p, room + ROOM), port == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layers_are_counted),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(fragments),
	};

	return cmocka_run_group_tests_name("nest", tests, set_up, tear_down);
}
