/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether GRE leaves this host, reaches the peer, and is let in again. */
#include <errno.h>
#include <string.h>

#include "ctl/doctor/cloud.h"
#include "ctl/doctor/probes.h"
#include "ctl/doctor/xfrm.h"
#include "proto/icmp.h"

/* A good packet of the peer within this time says that its GRE arrives. */
#define FRESH_MS 5000

static const char *family_word(const struct doctor *d)
{
	return d->tunnel->remote.family == IP_V4 ? "ip" : "ip6";
}

void check_gre_refused_here(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);

	if (r->gre_refused != -EPERM && r->gre_refused != -EACCES)
		return;
	if (xfrm_blocks(d, XFRM_WAY_OUT)) {
		doctor_found(d, DOCTOR_BROKEN, "an IPsec policy of this host lets no GRE to %s out",
			     d->remote);
		doctor_mend(d, "ip xfrm policy, and the IPsec daemon: is its tunnel to %s up?",
			    d->remote);
		return;
	}
	doctor_found(d, DOCTOR_BROKEN, "a firewall rule of this host refuses outgoing GRE to %s",
		     d->remote);
	doctor_mend(
		d,
		"in the output chain that drops it (nft list ruleset): %s daddr %s meta l4proto "
		"gre accept",
		family_word(d), d->remote);
}

void check_gre_dropped_here(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);

	if (r->gre_arrived)
		doctor_saw(d, "%u GRE packets of %s arrived, %u were let in", r->gre_arrived,
			   d->remote, r->gre_delivered);
	if (r->gre_arrived < 2 || r->gre_delivered)
		return;
	if (xfrm_blocks(d, XFRM_WAY_IN)) {
		doctor_found(
			d, DOCTOR_BROKEN,
			"an IPsec policy of this host lets no GRE from %s in that is not encrypted",
			d->remote);
		doctor_mend(d, "ip xfrm policy, here and at the peer");
		return;
	}
	doctor_found(d, DOCTOR_BROKEN,
		     "GRE from %s arrives, and a firewall rule of this host drops it", d->remote);
	doctor_mend(d,
		    "in the input chain that drops it (nft list ruleset): %s saddr %s meta l4proto "
		    "gre accept",
		    family_word(d), d->remote);
}

void check_filtered(struct doctor *d)
{
	static const uint8_t four[] = {ICMP4_PROHIBITED, ICMP4_HOST_PROHIBITED,
				       ICMP4_NET_PROHIBITED};
	const struct probes_reach *r = probes_reach(d);
	bool v4 = d->tunnel->remote.family == IP_V4;
	const struct probe_seen *seen =
		v4 ? NULL : probes_error(r, ICMP6_UNREACHABLE, ICMP6_PROHIBITED, IP_PROTOCOL_GRE);
	char from[ADDR_TEXT_SIZE];

	for (size_t i = 0; v4 && !seen && i < sizeof four; i++)
		seen = probes_error(r, ICMP4_UNREACHABLE, four[i], IP_PROTOCOL_GRE);
	if (!seen)
		return;
	addr_format(&seen->from, from);
	doctor_found(d, DOCTOR_BROKEN,
		     "%s forbids GRE to %s (ICMP administratively prohibited, code %u)", from,
		     d->remote, seen->code);
	doctor_mend(d, "let protocol 47 between %s and %s through at %s", d->local, d->remote,
		    from);
}

void check_no_gre(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);
	bool v4 = d->tunnel->remote.family == IP_V4;
	const struct probe_seen *seen =
		v4 ? probes_error(r, ICMP4_UNREACHABLE, ICMP4_PROTOCOL_UNREACHABLE, IP_PROTOCOL_GRE)
		   : probes_error(r, ICMP6_PARAMETER_PROBLEM, ICMP6_UNKNOWN_HEADER,
				  IP_PROTOCOL_GRE);

	if (!seen || r->gre_answers)
		return;
	doctor_found(d, DOCTOR_BROKEN, "the peer %s has nothing that takes GRE (ICMP %s)",
		     d->remote, v4 ? "protocol unreachable" : "unknown next header");
	doctor_mend(d, "start its end: gretel up there, or modprobe ip_gre and its tunnel");
}

/* Packets of the daemon that were refused while the doctor was here count too. */
static const json_t *find_refusal(const struct probes_reach *r, const char *remote, int type,
				  int code)
{
	size_t i;
	json_t *one;

	json_array_foreach (json_object_get(r->status, "refusals"), i, one)
		if (doctor_number(one, "type", -1) == type &&
		    doctor_number(one, "code", -1) == code &&
		    doctor_number(one, "last_ms", INT64_MAX) < FRESH_MS &&
		    strcmp(doctor_text(one, "remote"), remote) == 0)
			return one;
	return NULL;
}

/* Nothing good came since, or it was refused again while the doctor was here. */
static bool is_current(const struct doctor *d, const struct probes_reach *r, const json_t *refusal)
{
	int64_t before = 0;
	size_t i;
	json_t *one;

	json_array_foreach (json_object_get(d->host->status, "refusals"), i, one)
		if (strcmp(doctor_text(one, "remote"), d->remote) == 0 &&
		    doctor_number(one, "type", -1) == doctor_number(refusal, "type", 0) &&
		    doctor_number(one, "code", -1) == doctor_number(refusal, "code", 0))
			before += doctor_number(one, "packets", 0);
	return doctor_number(refusal, "packets", 0) > before ||
	       doctor_number(refusal, "last_ms", 0) <
		       doctor_number(r->after, "last_rx_ms", INT64_MAX);
}

static void tell_no_port(struct doctor *d)
{
	doctor_found(d, DOCTOR_BROKEN,
		     "the peer %s takes no GRE in UDP from %s at port %u, or none with this key "
		     "(ICMP port unreachable)",
		     d->remote, d->local, d->tunnel->udp_port);
	doctor_mend(d,
		    "compare remote, local, key and udp with the peer's: gretel peer %s --for "
		    "gretel",
		    d->tunnel->name);
}

void check_no_tunnel(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);
	bool v4 = d->tunnel->remote.family == IP_V4;
	uint8_t type = v4 ? (uint8_t)ICMP4_UNREACHABLE : (uint8_t)ICMP6_UNREACHABLE;
	uint8_t code = v4 ? (uint8_t)ICMP4_PORT_UNREACHABLE : (uint8_t)ICMP6_PORT_UNREACHABLE;
	char key[32] = "without key";

	if (!probes_error(r, type, code, IP_PROTOCOL_GRE) &&
	    (r->gres || !find_refusal(r, d->remote, type, code)))
		return;
	if (r->gre_answers && !find_refusal(r, d->remote, type, code))
		return;
	if (d->tunnel->udp_port) {
		if (is_current(d, r, find_refusal(r, d->remote, type, code)))
			tell_no_port(d);
		return;
	}
	if (d->tunnel->okey.present)
		snprintf(key, sizeof key, "with key %u", d->tunnel->okey.value);
	doctor_found(
		d, DOCTOR_BROKEN,
		"the peer %s takes GRE, but has no tunnel for packets from %s %s, mode %s (ICMP "
		"port unreachable)",
		d->remote, d->local, key, d->tunnel->mode == MODE_GRETAP ? "gretap" : "gre");
	doctor_mend(
		d,
		"compare remote, local, key and mode with the peer's: gretel peer %s --for gretel",
		d->tunnel->name);
}

/* Since when nothing good has come; INT64_MAX: never. */
static int64_t silence_ms(const struct probes_reach *r)
{
	return doctor_number(r->after, "last_rx_ms", INT64_MAX);
}

/* Whether what was not answered had to be: a tunnel of which nothing is known inside, to a peer
 * that sends back no keepalives, may be in good health. */
static enum doctor_verdict how_bad(const struct probes_reach *r)
{
	return r->inner_possible || silence_ms(r) == INT64_MAX ? DOCTOR_BROKEN : DOCTOR_DEGRADED;
}

void check_silent(struct doctor *d)
{
	const struct probes_reach *r = probes_reach(d);
	char hint[CLOUD_HINT_SIZE];

	if (d->tunnel->udp_port)
		doctor_saw(d, "GRE in UDP is not probed: what passed is known from the daemon and "
			      "from echoes inside");
	if (r->error || !r->gre_possible)
		return;
	doctor_saw(d, "GRE: %u of %u probes answered%s", r->gre_answers, r->gres,
		   r->gre_answers ? "" : ", which peers that send back no keepalives never do");
	if (r->inner_possible)
		doctor_saw(d, "ping inside: %u of %u answered", r->inner_answers, r->inners);
	if (r->gre_answers || r->inner_answers)
		return;
	if (r->heard) {
		doctor_found(
			d, how_bad(r),
			"GRE of %s arrives here, but GRE to it is lost on the way or dropped there",
			d->remote);
		doctor_mend(d,
			    "let protocol 47 from %s in at the peer and at the filters before it%s",
			    d->local, cloud_hint(hint));
	} else if (r->ping_answers) {
		doctor_found(
			d, how_bad(r),
			"%s answers ping, but GRE (protocol 47) is dropped in silence, on the way "
			"or there",
			d->remote);
		doctor_mend(d,
			    "let protocol 47 between %s and %s through at both ends and at the "
			    "filters between them%s",
			    d->local, d->remote, cloud_hint(hint));
	}
}
