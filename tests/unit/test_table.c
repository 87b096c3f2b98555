/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which tunnel a packet belongs to, and the reason when it belongs to none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dp/table.h"
#include "dp/tunnel.h"

#define NO_KEY (-1)

static struct ip_addr addr(const char *text)
{
	struct ip_addr out;

	assert_true(addr_parse(text, &out));
	return out;
}

static void fill(struct port *port, const char *local, const char *remote, int64_t key,
		 uint32_t ifindex)
{
	*port = (struct port){.params = {.local = addr(local),
					 .remote = addr(remote),
					 .has_ikey = key != NO_KEY,
					 .ikey = key == NO_KEY ? 0 : (uint32_t)key,
					 .bind_ifindex = ifindex}};
}

static void fill_form(struct port *port, uint8_t form, uint32_t number)
{
	fill(port, "192.0.2.1", "192.0.2.2", NO_KEY, 0);
	port->params.form = form;
	port->params.has_ikey = form == FORM_NVGRE || (form_is_plain(form) && number != 0);
	port->params.ikey = number;
}

static struct table_key key_of(const char *local, const char *remote, int64_t key)
{
	return (struct table_key){.local = addr(local),
				  .remote = addr(remote),
				  .has_key = key != NO_KEY,
				  .key = key == NO_KEY ? 0 : (uint32_t)key};
}

/* Plain GRE and GRE in UDP between the same addresses, and tunnels that have the one or the other.
 */
static void plain_and_udp_are_different(void **state)
{
	static const struct {
		const char *remote;
		int64_t key;
		uint16_t udp_port;
		int found;
		enum drop_reason why;
		int blame;
	} rows[] = {
		/* 0 */ {"192.0.2.2", 1, 0, 0, DROP_NONE, -1},
		/* 1 */ {"192.0.2.2", 1, 4754, 1, DROP_NONE, -1},
		/* 2 */ {"192.0.2.2", 1, 5000, -1, DROP_RX_UDP_UNEXPECTED, -1},
		/* 3 */ {"192.0.2.2", 2, 4754, -1, DROP_RX_KEY_WRONG, 1},
		/* 4 */ {"192.0.2.3", 1, 0, -1, DROP_RX_UDP_MISSING, 2},
		/* 5 */ {"192.0.2.4", 1, 4754, -1, DROP_RX_UDP_UNEXPECTED, 3},
		/* 6 */ {"192.0.2.9", 1, 4754, -1, DROP_RX_SOURCE, -1},
	};
	static const uint16_t udp_ports[] = {0, 4754, 4754, 0};
	static const char *const remotes[] = {"192.0.2.2", "192.0.2.2", "192.0.2.3", "192.0.2.4"};
	struct port ports[4];
	struct table table;

	(void)state;
	assert_int_equal(table_init(&table), 0);
	for (unsigned i = 0; i < 4; i++) {
		fill(&ports[i], "192.0.2.1", remotes[i], 1, 0);
		ports[i].params.udp_port = udp_ports[i];
		assert_int_equal(table_insert(&table, &ports[i]), 0);
	}
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct table_key key = key_of("192.0.2.1", rows[i].remote, rows[i].key);
		enum drop_reason why = DROP_NONE;
		struct port *blame = NULL, *found;

		key.udp_port = rows[i].udp_port;
		found = table_find(&table, &key, 0, &why, &blame);
		assert_ptr_equal(found, rows[i].found < 0 ? NULL : &ports[rows[i].found]);
		assert_int_equal(why, rows[i].why);
		assert_ptr_equal(blame, rows[i].blame < 0 ? NULL : &ports[rows[i].blame]);
	}
	table_free(&table);
}

/* Two tunnels of the same addresses and key in two VRFs: packets name the device in the VRF. */
static void vrfs_are_different(void **state)
{
	enum { RED = 50, BLUE = 60 };
	static const struct {
		uint32_t ifindex;
		int found;
	} rows[] = {{3, 0}, {4, 0}, {5, 1}, {6, -1}, {RED, 0}, {BLUE, 1}, {0, -1}};
	struct table_key key = key_of("192.0.2.1", "192.0.2.2", 1);
	struct port ports[2];
	struct table table;

	(void)state;
	assert_int_equal(table_init(&table), 0);
	fill(&ports[0], "192.0.2.1", "192.0.2.2", 1, RED);
	fill(&ports[1], "192.0.2.1", "192.0.2.2", 1, BLUE);
	ports[0].params.bind_members[0] = 3;
	ports[0].params.bind_members[1] = 4;
	ports[1].params.bind_members[0] = 5;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(table_insert(&table, &ports[i]), 0);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum drop_reason why = DROP_NONE;
		struct port *blame = NULL;

		assert_ptr_equal(table_find(&table, &key, rows[i].ifindex, &why, &blame),
				 rows[i].found < 0 ? NULL : &ports[rows[i].found]);
		assert_int_equal(why, rows[i].found < 0 ? DROP_RX_BIND : DROP_NONE);
		assert_true(rows[i].found >= 0 || blame == &ports[0] || blame == &ports[1]);
	}
	table_free(&table);
}

/* Tunnels whose peer is learned are found wherever a packet comes from, by address, port and key;
 * also after they have grown, and have learned. */
static void learned_peers_have_a_home(void **state)
{
	static const struct {
		const char *local;
		int64_t key;
		uint16_t udp_port;
		uint32_t ifindex;
		int found;
	} rows[] = {
		/* 0 */ {"192.0.2.1", 3, 4754, 0, 3},
		/* 1 */ {"192.0.2.1", 199, 4754, 0, 199},
		/* 2: the key of one that is not learned */ {"192.0.2.1", 200, 4754, 0, -1},
		/* 3 */ {"192.0.2.1", 3, 5000, 0, -1},
		/* 4 */ {"192.0.2.2", 3, 4754, 0, -1},
		/* 5 */ {"192.0.2.1", NO_KEY, 4754, 0, -1},
		/* 6: bound to device 9 */ {"192.0.2.1", 7, 4754, 9, 7},
		/* 7 */ {"192.0.2.1", 7, 4754, 8, -1},
	};
	static struct port ports[201];
	struct table table;

	(void)state;
	assert_int_equal(table_init(&table), 0);
	for (unsigned i = 0; i < 201; i++) {
		fill(&ports[i], "192.0.2.1", "192.0.2.9", i, i == 7 ? 9 : 0);
		if (i < 200)
			ports[i].params.remote = (struct ip_addr){.family = IP_NONE};
		ports[i].params.udp_port = 4754;
		ports[i].params.nat_any = i < 200;
		assert_int_equal(table_insert(&table, &ports[i]), 0);
	}
	table_remove(&table, &ports[3]);
	ports[3].params.remote = addr("203.0.113.7");
	table_link(&table, &ports[3]);
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct table_key key = key_of(rows[i].local, "198.51.100.1", rows[i].key);

		key.udp_port = rows[i].udp_port;
		assert_ptr_equal(table_find_home(&table, &key, rows[i].ifindex),
				 rows[i].found < 0 ? NULL : &ports[rows[i].found]);
	}
	for (unsigned i = 0; i < 201; i++)
		table_remove(&table, &ports[i]);
	assert_null(table_find_home(
		&table,
		&(struct table_key){
			.local = addr("192.0.2.1"), .has_key = true, .key = 5, .udp_port = 4754},
		0));
	table_free(&table);
}

static const struct {
	const char *local, *remote;
	int64_t key;
	uint32_t ifindex;
} tunnels[] = {
	/* 0 */ {"192.0.2.1", "192.0.2.2", NO_KEY, 0},
	/* 1 */ {"192.0.2.1", "192.0.2.3", 0, 0},
	/* 2 */ {"192.0.2.1", "192.0.2.4", 7, 0},
	/* 3 */ {"192.0.2.1", "192.0.2.4", 8, 0},
	/* 4 */ {"2001:db8::1", "2001:db8::2", 0xffffffff, 0},
	/* 5 */ {"192.0.2.1", "192.0.2.5", 1, 3},
	/* 6 */ {"192.0.2.1", "192.0.2.5", 1, 4},
	/* 7 */ {"192.0.2.1", "192.0.2.5", 1, 0},
};

#define NONE (-1)

static const struct {
	const char *local, *remote;
	int64_t key;
	uint32_t ifindex;
	int found;
	enum drop_reason why;
	int blame;
} finds[] = {
	/*  0 */ {"192.0.2.1", "192.0.2.2", NO_KEY, 0, 0, DROP_NONE, NONE},
	/*  1 */ {"192.0.2.1", "192.0.2.2", 5, 0, NONE, DROP_RX_KEY_UNEXPECTED, 0},
	/*  2 */ {"192.0.2.1", "192.0.2.2", 0, 0, NONE, DROP_RX_KEY_UNEXPECTED, 0},
	/*  3 */ {"192.0.2.1", "192.0.2.3", 0, 0, 1, DROP_NONE, NONE},
	/*  4 */ {"192.0.2.1", "192.0.2.3", NO_KEY, 0, NONE, DROP_RX_KEY_MISSING, 1},
	/*  5 */ {"192.0.2.1", "192.0.2.3", 1, 0, NONE, DROP_RX_KEY_WRONG, 1},
	/*  6 */ {"192.0.2.1", "192.0.2.4", 8, 0, 3, DROP_NONE, NONE},
	/*  7 */ {"192.0.2.1", "192.0.2.4", 9, 0, NONE, DROP_RX_KEY_WRONG, NONE},
	/*  8 */ {"192.0.2.1", "192.0.2.4", NO_KEY, 0, NONE, DROP_RX_KEY_MISSING, NONE},
	/*  9 */ {"192.0.2.1", "192.0.2.9", NO_KEY, 0, NONE, DROP_RX_SOURCE, NONE},
	/* 10 */ {"192.0.2.9", "192.0.2.2", NO_KEY, 0, NONE, DROP_RX_SOURCE, NONE},
	/* 11 */ {"192.0.2.2", "192.0.2.1", NO_KEY, 0, NONE, DROP_RX_SOURCE, NONE},
	/* 12 */ {"2001:db8::1", "2001:db8::2", 0xffffffff, 0, 4, DROP_NONE, NONE},
	/* 13 */ {"2001:db8::1", "2001:db8::3", 0xffffffff, 0, NONE, DROP_RX_SOURCE, NONE},
	/* 14 */ {"192.0.2.1", "192.0.2.5", 1, 3, 5, DROP_NONE, NONE},
	/* 15 */ {"192.0.2.1", "192.0.2.5", 1, 4, 6, DROP_NONE, NONE},
	/* 16 */ {"192.0.2.1", "192.0.2.5", 1, 5, 7, DROP_NONE, NONE},
};

static void packets_find_their_tunnel(void **state)
{
	struct port ports[sizeof tunnels / sizeof *tunnels];
	struct table table;

	(void)state;
	assert_int_equal(table_init(&table), 0);
	for (unsigned i = 0; i < sizeof tunnels / sizeof *tunnels; i++) {
		fill(&ports[i], tunnels[i].local, tunnels[i].remote, tunnels[i].key,
		     tunnels[i].ifindex);
		assert_int_equal(table_insert(&table, &ports[i]), 0);
	}
	for (unsigned i = 0; i < sizeof finds / sizeof *finds; i++) {
		struct table_key key = key_of(finds[i].local, finds[i].remote, finds[i].key);
		enum drop_reason why = DROP_NONE;
		struct port *blame = NULL;
		struct port *found = table_find(&table, &key, finds[i].ifindex, &why, &blame);

		assert_ptr_equal(found, finds[i].found == NONE ? NULL : &ports[finds[i].found]);
		assert_int_equal(why, finds[i].why);
		assert_ptr_equal(blame, finds[i].blame == NONE ? NULL : &ports[finds[i].blame]);
	}
	table_free(&table);
}

static const struct {
	uint8_t form;
	uint32_t number; /* 0 of a plain one: without a key */
} forms[] = {
	/* 0 */ {FORM_NVGRE, 0x500000},
	/* 1 */ {FORM_NVGRE, 0x500100},
	/* 2 */ {FORM_ERSPAN1, 0},
	/* 3 */ {FORM_ERSPAN2, 5},
	/* 4 */ {FORM_ERSPAN2, 6},
	/* 5 */ {FORM_ERSPAN3, 5},
	/* 6 */ {FORM_IP, 0},
	/* 7 */ {FORM_ETHERNET, 0x600007},
};

static const struct {
	struct table_key key; /* addresses apart */
	int found;
	enum drop_reason why;
} form_finds[] = {
	/*  0 */ {{.has_key = true, .key = 0x5000ab, .form = FORM_NVGRE, .number = 0x500000}, 0, 0},
	/*  1 */ {{.has_key = true, .key = 0x500100, .form = FORM_NVGRE, .number = 0x500100}, 1, 0},
	/*  2 */ {{.has_key = true, .key = 0x600007, .form = FORM_NVGRE, .number = 0x600000}, 7, 0},
	/*  3 */
	{{.has_key = true, .key = 0x600008, .form = FORM_NVGRE, .number = 0x600000},
	 NONE,
	 DROP_RX_KEY_WRONG},
	/*  4: not of frames */ {{.has_key = true, .key = 0x500000}, NONE, DROP_RX_KEY_WRONG},
	/*  5 */ {{.form = FORM_ERSPAN1}, 2, 0},
	/*  6 */ {{.form = FORM_ERSPAN2, .number = 5}, 3, 0},
	/*  7 */ {{.form = FORM_ERSPAN2, .number = 6}, 4, 0},
	/*  8 */ {{.form = FORM_ERSPAN3, .number = 5}, 5, 0},
	/*  9: a plain tunnel without a key does not take it */
	{{.form = FORM_ERSPAN3, .number = 6}, NONE, DROP_RX_SESSION},
	/* 10 */
	{{.has_key = true, .key = 1, .form = FORM_ERSPAN3, .number = 6}, NONE, DROP_RX_SESSION},
	/* 11 */ {{.number = 0}, 6, 0},
};

/* Tunnels of all forms between the same two addresses. */
static void forms_find_their_tunnel(void **state)
{
	struct port ports[sizeof forms / sizeof *forms];
	struct table table;

	(void)state;
	assert_int_equal(table_init(&table), 0);
	for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
		fill_form(&ports[i], forms[i].form, forms[i].number);
		assert_int_equal(table_insert(&table, &ports[i]), 0);
	}
	for (unsigned i = 0; i < sizeof form_finds / sizeof *form_finds; i++) {
		struct table_key key = form_finds[i].key;
		enum drop_reason why = DROP_NONE;
		struct port *blame = NULL, *found;

		key.local = addr("192.0.2.1");
		key.remote = addr("192.0.2.2");
		found = table_find(&table, &key, 0, &why, &blame);
		assert_ptr_equal(found,
				 form_finds[i].found == NONE ? NULL : &ports[form_finds[i].found]);
		assert_int_equal(why, form_finds[i].why);
	}
	for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++)
		table_remove(&table, &ports[i]);
	assert_int_equal(table.used, 0);
	table_free(&table);
}

/* What comes where there is only the other kind. */
static void kinds_are_told_apart(void **state)
{
	struct table_key copy = {.form = FORM_ERSPAN2, .number = 5}, packet = {.form = FORM_IP};
	struct port *blame = NULL, port, another;
	enum drop_reason why = DROP_NONE;
	struct table table;

	(void)state;
	copy.local = packet.local = addr("192.0.2.1");
	copy.remote = packet.remote = addr("192.0.2.2");
	assert_int_equal(table_init(&table), 0);
	fill_form(&port, FORM_ERSPAN2, 6);
	assert_int_equal(table_insert(&table, &port), 0);
	assert_null(table_find(&table, &copy, 0, &why, &blame));
	assert_int_equal(why, DROP_RX_SESSION);
	assert_ptr_equal(blame, &port);
	assert_null(table_find(&table, &packet, 0, &why, &blame));
	assert_int_equal(why, DROP_RX_PROTOCOL);
	assert_ptr_equal(blame, &port);
	table_remove(&table, &port);
	fill_form(&port, FORM_IP, 7);
	assert_int_equal(table_insert(&table, &port), 0);
	fill_form(&another, FORM_ETHERNET, 0);
	assert_int_equal(table_insert(&table, &another), 0);
	assert_null(table_find(&table, &copy, 0, &why, &blame));
	assert_int_equal(why, DROP_RX_PROTOCOL);
	assert_ptr_equal(blame, &another); /* which has no key either */
	table_free(&table);
}

/* Growing, removing and putting back lose nobody. */
static void ten_thousand_keys(void **state)
{
	enum { COUNT = 10000 };
	struct port *ports = calloc(COUNT, sizeof *ports);
	struct table table;

	(void)state;
	assert_int_equal(table_init(&table), 0);
	for (int i = 0; i < COUNT; i++) {
		fill(&ports[i], "192.0.2.1", i % 2 ? "192.0.2.2" : "2001:db8::2", i, 0);
		if (i % 2 == 0)
			ports[i].params.local = addr("2001:db8::1");
		assert_int_equal(table_insert(&table, &ports[i]), 0);
	}
	for (int i = 0; i < COUNT; i += 3)
		table_remove(&table, &ports[i]);
	for (int i = 0; i < COUNT; i += 6)
		table_link(&table, &ports[i]);
	for (int i = 0; i < COUNT; i++) {
		struct table_key key = {.local = ports[i].params.local,
					.remote = ports[i].params.remote,
					.key = (uint32_t)i,
					.has_key = true};
		enum drop_reason why = DROP_NONE;
		struct port *blame;
		struct port *found = table_find(&table, &key, 0, &why, &blame);
		assert_ptr_equal(found, i % 3 == 0 && i % 6 != 0 ? NULL : &ports[i]);
	}
	table_free(&table);
	free(ports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_find_their_tunnel),
		cmocka_unit_test(plain_and_udp_are_different),
		cmocka_unit_test(vrfs_are_different),
		cmocka_unit_test(learned_peers_have_a_home),
		cmocka_unit_test(forms_find_their_tunnel),
		cmocka_unit_test(kinds_are_told_apart),
		cmocka_unit_test(ten_thousand_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
