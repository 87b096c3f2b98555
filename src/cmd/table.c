/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c: the status for people. */
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <string.h>

#include "cmd/client.h"

#define CELL_SIZE 96

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* 9999, 10.0k, 12.3M, ... */
static void print_count(char cell[CELL_SIZE], uint64_t n)
{
	static const char units[] = "kMGTPE";
	if (n < 10000) {
		snprintf(cell, CELL_SIZE, "%" PRIu64, n);
		return;
	}
	double value = (double)n / 1000;
	const char *unit = units;
	while (value >= 999.95 && unit[1]) {
		value /= 1000;
		unit++;
	}
	snprintf(cell, CELL_SIZE, "%.1f%c", value, *unit);
}

static void print_age(char cell[CELL_SIZE], const json_t *ms)
{
	if (!json_is_integer(ms)) {
		snprintf(cell, CELL_SIZE, "never");
		return;
	}
	double seconds = (double)json_integer_value(ms) / 1000;
	if (seconds < 60)
		snprintf(cell, CELL_SIZE, "%.1fs", seconds);
	else if (seconds < 3600)
		snprintf(cell, CELL_SIZE, "%.0fmin", seconds / 60);
	else
		snprintf(cell, CELL_SIZE, "%.1fh", seconds / 3600);
}

static uint64_t drops_sum(const json_t *drops)
{
	uint64_t sum = 0;
	const char *reason;
	json_t *n;
	json_object_foreach ((json_t *)(uintptr_t)drops, reason, n)
		sum += (uint64_t)json_integer_value(n);
	return sum;
}

static void cell_text(char cell[CELL_SIZE], const json_t *tunnel, const char *key)
{
	snprintf(cell, CELL_SIZE, "%s", text_of(tunnel, key));
}

/* Of a peer that is learned the port too, since its NAT has chosen it. */
static void cell_remote(char cell[CELL_SIZE], const json_t *tunnel, const char *key)
{
	const char *remote = text_of(tunnel, key);
	bool learned = json_is_true(json_object_get(tunnel, "remote_any"));
	uint64_t port = number_of(tunnel, "remote_port");
	if (learned && remote[0] == '\0')
		snprintf(cell, CELL_SIZE, "any");
	else if (learned)
		snprintf(cell, CELL_SIZE, strchr(remote, ':') ? "[%s]:%" PRIu64 : "%s:%" PRIu64,
			 remote, port);
	else
		snprintf(cell, CELL_SIZE, "%s", remote);
}

static void cell_number(char cell[CELL_SIZE], const json_t *tunnel, const char *key)
{
	uint64_t n = number_of(tunnel, key);
	if (n)
		snprintf(cell, CELL_SIZE, "%" PRIu64, n);
	else
		snprintf(cell, CELL_SIZE, "-");
}

static void cell_keys(char cell[CELL_SIZE], const json_t *tunnel, const char *key)
{
	const json_t *in = json_object_get(tunnel, "ikey"), *out = json_object_get(tunnel, "okey");
	uint64_t i = (uint64_t)json_integer_value(in), o = (uint64_t)json_integer_value(out);
	(void)key;
	if (json_is_integer(in) && json_is_integer(out) && i == o)
		snprintf(cell, CELL_SIZE, "%" PRIu64, i);
	else if (json_is_integer(in) && json_is_integer(out))
		snprintf(cell, CELL_SIZE, "%" PRIu64 "/%" PRIu64, i, o);
	else if (json_is_integer(in))
		snprintf(cell, CELL_SIZE, "%" PRIu64 "/-", i);
	else if (json_is_integer(out))
		snprintf(cell, CELL_SIZE, "-/%" PRIu64, o);
	else
		snprintf(cell, CELL_SIZE, "-");
}

static void cell_packets(char cell[CELL_SIZE], const json_t *tunnel, const char *key)
{
	print_count(cell, number_of(json_object_get(tunnel, key), "packets"));
}

static void cell_bytes(char cell[CELL_SIZE], const json_t *tunnel, const char *key)
{
	print_count(cell, number_of(json_object_get(tunnel, key), "bytes"));
}

static void cell_drops(char cell[CELL_SIZE], const json_t *tunnel, const char *key)
{
	print_count(cell, drops_sum(json_object_get(tunnel, key)));
}

static void cell_age(char cell[CELL_SIZE], const json_t *tunnel, const char *key)
{
	print_age(cell, json_object_get(tunnel, key));
}

static void cell_rtt(char cell[CELL_SIZE], const json_t *tunnel, const char *key)
{
	const json_t *us = json_object_get(json_object_get(tunnel, "keepalive"), key);
	if (json_is_integer(us))
		snprintf(cell, CELL_SIZE, "%.1fms", (double)json_integer_value(us) / 1000);
	else
		snprintf(cell, CELL_SIZE, "-");
}

static void cell_loss(char cell[CELL_SIZE], const json_t *tunnel, const char *key)
{
	const json_t *keepalive = json_object_get(tunnel, "keepalive");
	if (strcmp(text_of(keepalive, "state"), "off") != 0)
		snprintf(cell, CELL_SIZE, "%.1f%%", (double)number_of(keepalive, key) / 10);
	else
		snprintf(cell, CELL_SIZE, "-");
}

static const struct column {
	const char *title;
	void (*print)(char cell[CELL_SIZE], const json_t *tunnel, const char *key);
	const char *key;
	bool right;
} columns[] = {
	{"TUNNEL", cell_text, "name", false},	  {"STATE", cell_text, "state", false},
	{"LANE", cell_text, "lane", false},	  {"LOCAL", cell_text, "local", false},
	{"REMOTE", cell_remote, "remote", false}, {"KEY", cell_keys, NULL, false},
	{"MTU", cell_number, "mtu", true},	  {"MSS", cell_number, "mss4", true},
	{"RX PKTS", cell_packets, "rx", true},	  {"RX BYTES", cell_bytes, "rx", true},
	{"TX PKTS", cell_packets, "tx", true},	  {"TX BYTES", cell_bytes, "tx", true},
	{"DROPS", cell_drops, "drops", true},	  {"LAST RX", cell_age, "last_rx_ms", true},
	{"RTT", cell_rtt, "rtt_us", true},	  {"LOSS", cell_loss, "loss_permille", true},
};

#define COLUMNS (sizeof columns / sizeof columns[0])

static void add_line(struct libscols_table *table, const json_t *tunnel)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char cell[CELL_SIZE];
	for (size_t i = 0; line && i < COLUMNS; i++) {
		columns[i].print(cell, tunnel, columns[i].key);
		scols_line_set_data(line, i, cell);
	}
}

static void fill_table(struct libscols_table *table, const json_t *tunnels)
{
	for (size_t i = 0; i < COLUMNS; i++)
		scols_table_new_column(table, columns[i].title, 0,
				       columns[i].right ? SCOLS_FL_RIGHT : 0);
	for (size_t row = 0; row < json_array_size(tunnels); row++) {
		const json_t *tunnel = json_array_get(tunnels, row);
		const json_t *peers = json_object_get(tunnel, "peers");
		add_line(table, tunnel);
		for (size_t i = 0; i < json_array_size(peers); i++)
			add_line(table, json_array_get(peers, i));
	}
}

static void print_drops(const char *name, const json_t *drops)
{
	const char *reason;
	json_t *n;
	json_object_foreach ((json_t *)(uintptr_t)drops, reason, n)
		if (json_integer_value(n) > 0)
			printf("%s: dropped %" JSON_INTEGER_FORMAT " packets: %s\n", name,
			       json_integer_value(n), reason);
}

static void print_keepalive(const char *name, const json_t *keepalive)
{
	printf("%s: keepalive %s (%s), %" PRIu64 " sent, %" PRIu64 " answered, %" PRIu64
	       " open, %" PRIu64 " of the peer's reflected, %" PRIu64 " probes returned\n",
	       name, text_of(keepalive, "state"), text_of(keepalive, "form"),
	       number_of(keepalive, "sent"), number_of(keepalive, "received"),
	       number_of(keepalive, "unanswered"), number_of(keepalive, "reflected"),
	       number_of(keepalive, "returned"));
	if (json_is_integer(json_object_get(keepalive, "rtt_us")))
		printf("%s: round trip %.3f ms, jitter %.3f ms, loss %.1f %%\n", name,
		       (double)number_of(keepalive, "rtt_us") / 1000,
		       (double)number_of(keepalive, "jitter_us") / 1000,
		       (double)number_of(keepalive, "loss_permille") / 10);
}

static void print_details(const json_t *tunnel)
{
	const char *name = text_of(tunnel, "name");
	printf("%s: %s lane (%s), path MTU %" PRIu64 ", MSS %" PRIu64 " for IPv4 and %" PRIu64
	       " for IPv6\n",
	       name, text_of(tunnel, "lane"), text_of(tunnel, "lane_reason"),
	       number_of(tunnel, "path_mtu"), number_of(tunnel, "mss4"), number_of(tunnel, "mss6"));
	if (*text_of(tunnel, "vrf"))
		printf("%s: in the VRF %s\n", name, text_of(tunnel, "vrf"));
	print_keepalive(name, json_object_get(tunnel, "keepalive"));
	printf("%s: the peer restarted its sequence numbers %" PRIu64 " times\n", name,
	       number_of(tunnel, "rx_restarts"));
	if (number_of(tunnel, "tx_cut"))
		printf("%s: %" PRIu64 " copies were cut to fit into the path\n", name,
		       number_of(tunnel, "tx_cut"));
}

/* Next hops that lead nowhere. */
static void print_unresolved(const char *name, const json_t *unresolved)
{
	for (size_t i = 0; i < json_array_size(unresolved); i++) {
		const json_t *one = json_array_get(unresolved, i);
		char age[CELL_SIZE];
		print_age(age, json_object_get(one, "last_ms"));
		printf("%s: no peer has the address %s, which a route leads to: asked for %" PRIu64
		       " times, the last time %s ago\n",
		       name, text_of(one, "next_hop"), number_of(one, "asked"), age);
	}
}

static void print_tunnel(const json_t *tunnel, bool details)
{
	const char *name = text_of(tunnel, "name"), *reason = text_of(tunnel, "reason");
	const json_t *peers = json_object_get(tunnel, "peers");
	if (reason[0] != '\0')
		printf("%s: %s: %s\n", name, text_of(tunnel, "state"), reason);
	if (details)
		print_details(tunnel);
	print_drops(name, json_object_get(tunnel, "drops"));
	print_unresolved(name, json_object_get(tunnel, "unresolved"));
	for (size_t i = 0; i < json_array_size(peers); i++)
		print_tunnel(json_array_get(peers, i), details);
}

/* Whether XDP spreads packets over CPUs: where it does, or should, or somebody asks for details. */
static void print_spread(const json_t *spread, bool details)
{
	uint64_t cpus = number_of(spread, "cpus"), lost = number_of(spread, "lost");
	if (cpus && lost)
		printf("XDP spreads received packets over %" PRIu64 " CPUs, which had no room for "
		       "%" PRIu64 "\n",
		       cpus, lost);
	else if (cpus)
		printf("XDP spreads received packets over %" PRIu64 " CPUs\n", cpus);
	else if (details || strcmp(text_of(spread, "setting"), "yes") == 0)
		printf("XDP does not spread packets over CPUs: %s\n", text_of(spread, "reason"));
}

void client_print_status(const json_t *data, bool details)
{
	const json_t *tunnels = json_object_get(data, "tunnels");
	struct libscols_table *table = json_array_size(tunnels) ? scols_new_table() : NULL;
	if (table) {
		fill_table(table, tunnels);
		scols_print_table(table);
		scols_unref_table(table);
	} else {
		puts("no tunnels");
	}
	for (size_t i = 0; i < json_array_size(tunnels); i++)
		print_tunnel(json_array_get(tunnels, i), details);
	if (!details)
		print_drops("without a tunnel", json_object_get(data, "stray_drops"));
	print_spread(json_object_get(data, "spread"), details);
}
