/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the keys of conf_live.c need of the rest of the tunnel. */
#include "ctl/conf_parse.h"

static bool has_family(const struct conf_tunnel *t, uint8_t family)
{
	for (size_t i = 0; i < t->address_count; i++)
		if (t->addresses[i].local.addr.family == family)
			return true;
	return false;
}

static void check_probe(const struct conf_tunnel *t, struct conf_faults *faults)
{
	struct conf_place at = conf_key_place(t, TUNNEL_PROBE);
	const char *wrong = conf_not_a_host(&t->probe);
	char text[ADDR_TEXT_SIZE];

	addr_format(&t->probe, text);
	if (wrong)
		conf_fault(faults, at,
			   "the probe's target %s %s: write an address behind the tunnel", text,
			   wrong);
	else if (addr_equal(&t->probe, &t->remote) || addr_equal(&t->probe, &t->local))
		conf_fault(
			faults, at,
			"the probe's target %s is an outer address of the tunnel: write one that "
			"is reached through it, such as the peer's inner address",
			text);
	else if (!has_family(t, t->probe.family))
		conf_fault(faults, at,
			   "the tunnel has no %s address that could ask %s: write address = one",
			   t->probe.family == IP_V4 ? "IPv4" : "IPv6", text);
	if (t->mode == MODE_GRETAP)
		conf_fault(faults, at,
			   "a tunnel of Ethernet frames cannot probe by ICMP: write mode = gre, or "
			   "probe = keepalive");
	if (!t->keepalive_interval_ms)
		conf_fault(faults, at,
			   "nothing says how often to probe: write keepalive = INTERVAL RETRIES");
}

/* Whether an `address` line tells the other end's: by name, or as the only other one. */
static bool knows_peer(const struct conf_tunnel *t)
{
	for (size_t i = 0; i < t->address_count; i++) {
		const struct conf_address *a = &t->addresses[i];
		bool v4 = a->local.addr.family == IP_V4;

		if (a->peer.family != IP_NONE ||
		    (v4 && (a->local.len == 30 || a->local.len == 31)) ||
		    (!v4 && a->local.len == 127))
			return true;
	}
	return false;
}

static void check_form(const struct conf_tunnel *t, struct conf_faults *faults)
{
	struct conf_place at = conf_key_place(t, TUNNEL_KEEPALIVE_FORM);

	if (t->keepalive_form == KEEPALIVE_HUAWEI && t->local.family == IP_V6)
		conf_fault(faults, at,
			   "keepalive-form = huawei exists over IPv4 only: write auto or cisco");
	if (t->keepalive_form != KEEPALIVE_INSIDE)
		return;
	if (t->mode == MODE_GRETAP)
		conf_fault(faults, at,
			   "keepalive-form = inside asks IP addresses, and the tunnel carries "
			   "Ethernet frames: write mode = gre, or another form");
	else if (!knows_peer(t) && !t->peer_count)
		conf_fault(
			faults, at,
			"keepalive-form = inside asks between the inner addresses: write address "
			"= ADDRESS peer ADDRESS");
}

/* The answer of the other forms is a GRE packet of its own, which the peer forwards without UDP. */
static void check_udp(const struct conf_tunnel *t, struct conf_faults *faults)
{
	if (t->udp_port && t->keepalive_interval_ms && t->probe.family == IP_NONE &&
	    t->keepalive_form != KEEPALIVE_INSIDE)
		conf_fault(faults, conf_key_place(t, TUNNEL_KEEPALIVE),
			   "answers to this keepalive come back outside of UDP: write "
			   "keepalive-form = inside, or probe = icmp and the peer's inner address");
}

void conf_check_live(const struct conf_tunnel *t, struct conf_faults *faults)
{
	if (t->probe.family != IP_NONE)
		check_probe(t, faults);
	check_form(t, faults);
	check_udp(t, faults);
}
