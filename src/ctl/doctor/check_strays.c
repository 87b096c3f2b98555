/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the peer sends does not fit what this side expects. */
#include <stdio.h>
#include <string.h>

#include "ctl/conf_params.h"
#include "ctl/doctor/strays.h"
#include "proto/icmp.h"
#include "proto/nvgre.h"

static void say_key(char *out, size_t size, int64_t key)
{
	if (key < 0)
		snprintf(out, size, "no key");
	else
		snprintf(out, size, "key %lld", (long long)key);
}

static void check_plain_key(struct doctor *d)
{
	static const char *const reasons[] = {"rx-key-wrong", "rx-key-missing",
					      "rx-key-unexpected"};
	const struct conf_key *ours = &d->tunnel->ikey;
	const json_t *stray = NULL;
	char sent[32], wanted[32], place[DOCTOR_PLACE_SIZE];
	int64_t key;

	for (size_t i = 0; !stray && i < 3; i++)
		stray = stray_of_peer(d, reasons[i]);
	if (!stray)
		return;
	key = doctor_number(stray, "key", -1);
	say_key(sent, sizeof sent, key);
	say_key(wanted, sizeof wanted, ours->present ? (int64_t)ours->value : -1);
	doctor_saw(d, "%lld packets with %s", (long long)doctor_number(stray, "packets", 0), sent);
	doctor_found(d, DOCTOR_BROKEN, "the peer %s sends %s, but this side expects %s", d->remote,
		     sent, wanted);
	doctor_place(d, d->tunnel->lines[TUNNEL_IKEY] ? TUNNEL_IKEY : TUNNEL_KEY, place);
	if (key < 0)
		doctor_mend(d, "write key = %u at the peer, or take the key out at %s", ours->value,
			    place);
	else
		doctor_mend(d, "write key = %lld at %s, or %s at the peer", (long long)key, place,
			    ours->present ? wanted : "no key");
}

/* Of NVGRE the key is the virtual subnet, and a number that says nothing. */
static void check_subnet(struct doctor *d)
{
	const json_t *stray = stray_of_peer(d, "rx-key-wrong");
	char place[DOCTOR_PLACE_SIZE];
	uint32_t vsid;

	if (!stray)
		return;
	vsid = nvgre_vsid((uint32_t)doctor_number(stray, "key", 0));
	doctor_saw(d, "%lld packets with vsid %u", (long long)doctor_number(stray, "packets", 0),
		   vsid);
	doctor_found(d, DOCTOR_BROKEN, "the peer %s sends vsid %u, but this side expects vsid %u",
		     d->remote, vsid, d->tunnel->vsid);
	doctor_mend(d, "write vsid = %u at %s, or vsid %u at the peer", vsid,
		    doctor_place(d, TUNNEL_VSID, place), d->tunnel->vsid);
}

/* Another session of the switch may go on beside ours: stray_of_peer() knows of none as long as
 * ours comes. */
static void check_session(struct doctor *d)
{
	const json_t *stray = stray_of_peer(d, "rx-session");
	char place[DOCTOR_PLACE_SIZE];
	unsigned type = 3;

	if (!stray)
		return;
	if (doctor_number(stray, "protocol", 0) == GRE_PROTOCOL_ERSPAN)
		type = doctor_number(stray, "flags", 0) & GRE_FLAG_SEQUENCE ? 2 : 1;
	doctor_saw(d, "%lld copies of type %u", (long long)doctor_number(stray, "packets", 0),
		   type);
	if (type != d->tunnel->erspan_type)
		doctor_found(d, DOCTOR_BROKEN,
			     "the peer %s sends ERSPAN of type %u, but this side expects type %u",
			     d->remote, type, d->tunnel->erspan_type);
	else
		doctor_found(d, DOCTOR_BROKEN,
			     "the peer %s sends copies of another session than %u", d->remote,
			     d->tunnel->erspan_session);
	doctor_mend(d, "compare erspan-type and erspan-session at %s with the peer's",
		    doctor_place(d, TUNNEL_ERSPAN_SESSION, place));
}

void check_key(struct doctor *d)
{
	if (d->tunnel->mode == MODE_NVGRE)
		check_subnet(d);
	else if (d->tunnel->mode == MODE_ERSPAN)
		check_session(d);
	else
		check_plain_key(d);
}

/* Protocol types that say what the sender takes this tunnel for. */
static const struct {
	int protocol;
	const char *name;
} types[] = {
	{GRE_PROTOCOL_TEB, "Ethernet frames (gretap)"},
	{GRE_PROTOCOL_IPV4, "IP packets"},
	{GRE_PROTOCOL_IPV6, "IP packets"},
	{0x880b, "PPP frames (PPTP)"},
	{0x6400, "EoIP of MikroTik"},
	{GRE_PROTOCOL_ERSPAN, "mirrored frames (ERSPAN)"},
	{GRE_PROTOCOL_ERSPAN3, "mirrored frames (ERSPAN III)"},
	{GRE_PROTOCOL_WCCP, "WCCP"},
	{GRE_PROTOCOL_CMD, "packets with Cisco metadata (TrustSec)"},
};

static const char *type_name(int protocol)
{
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (types[i].protocol == protocol)
			return types[i].name;
	return NULL;
}

/* A packet of the peer that is GRE in IP where it should be in UDP, the reverse, in UDP to another
 * port, or with or without a header of GUE. */
static const json_t *stray_of_udp(struct doctor *d)
{
	const struct conf_tunnel *t = d->tunnel;
	const json_t *stray = t->udp_port ? stray_of_peer(d, "rx-udp-missing") : NULL;

	if (!stray)
		stray = stray_of_peer(d, "rx-udp-unexpected");
	if (!stray && t->udp_port)
		stray = stray_of_tunnel(d, t->gue ? "rx-gue-missing" : "rx-gue-unexpected");
	return stray;
}

/* Linux adds a field for packets whose checksum it leaves to the receiver: those of TCP from the
 * peer itself and its guests, while pings pass. */
static void check_gue(struct doctor *d)
{
	const json_t *stray = stray_beside_good(d, "rx-gue");

	if (!stray)
		return;
	doctor_saw(d, "%lld packets with another GUE header than four octets",
		   (long long)doctor_number(stray, "packets", 0));
	doctor_found(d, stray_of_peer(d, "rx-gue") ? DOCTOR_BROKEN : DOCTOR_DEGRADED,
		     "the peer %s sends GUE headers with flags or fields, which are not taken here",
		     d->remote);
	if (d->tunnel->gue)
		doctor_mend(d, "give the peer's tunnel noencap-remcsum");
	else
		doctor_mend(d, "give the peer's tunnel encap fou in place of encap gue");
}

static const char *gue_word(const struct conf_tunnel *t, bool gue)
{
	if (gue)
		return " with a GUE header";
	return t->gue ? " without a GUE header" : "";
}

static bool check_udp(struct doctor *d)
{
	const json_t *stray = stray_of_udp(d);
	char place[DOCTOR_PLACE_SIZE], udp[CONF_UDP_SIZE];
	uint16_t port;
	bool gue;

	if (!stray)
		return false;
	doctor_place(d, TUNNEL_UDP, place);
	port = (uint16_t)doctor_number(stray, "udp_port", 0);
	gue = json_is_true(json_object_get(stray, "gue"));
	if (port) {
		doctor_found(d, DOCTOR_BROKEN, "the peer %s sends GRE in UDP%s to port %u",
			     d->remote, gue_word(d->tunnel, gue), port);
		doctor_mend(d, "write udp = %s at %s, or change it at the peer",
			    conf_udp_text(port, gue, udp), place);
	} else {
		doctor_found(d, DOCTOR_BROKEN,
			     "the peer %s sends plain GRE, but this side expects it in UDP",
			     d->remote);
		doctor_mend(d, "write udp = no at %s, or udp = %s at the peer", place,
			    conf_udp_text(d->tunnel->udp_port, d->tunnel->gue, udp));
	}
	return true;
}

void check_type(struct doctor *d)
{
	static const char *const carried[] = {
		"IP packets (mode = gre)", "Ethernet frames (mode = gretap)",
		"Ethernet frames with a vsid (mode = nvgre)", "mirrored frames (mode = erspan)"};
	const json_t *stray = stray_of_peer(d, "rx-protocol");
	char place[DOCTOR_PLACE_SIZE];
	const char *name;
	int protocol;

	if (check_udp(d))
		return;
	check_gue(d);
	if (!stray)
		stray = stray_of_peer(d, "rx-version");
	if (!stray)
		return;
	protocol = (int)doctor_number(stray, "protocol", 0);
	name = type_name(protocol);
	doctor_saw(d, "%lld packets with protocol type 0x%04x",
		   (long long)doctor_number(stray, "packets", 0), (unsigned)protocol);
	doctor_found(d, DOCTOR_BROKEN,
		     "the peer %s sends %s (protocol type 0x%04x), but this tunnel carries %s",
		     d->remote, name ? name : "something else", (unsigned)protocol,
		     carried[d->tunnel->mode]);
	doctor_place(d, TUNNEL_MODE, place);
	if (protocol == GRE_PROTOCOL_ERSPAN || protocol == GRE_PROTOCOL_ERSPAN3)
		doctor_mend(d,
			    "make a tunnel with mode = erspan for them, or stop them at the peer");
	else if (d->tunnel->mode == MODE_ERSPAN)
		doctor_mend(d, "write mode = gre or gretap at %s, or mirror by ERSPAN at the peer",
			    place);
	else if (protocol == GRE_PROTOCOL_TEB)
		doctor_mend(
			d, "write mode = gretap at %s, or a tunnel of IP packets (gre) at the peer",
			place);
	else if (conf_has_frames(d->tunnel))
		doctor_mend(d, "write mode = gre at %s, or gretap at the peer", place);
	else
		doctor_mend(d, "make it plain GRE at the peer");
}

/* The peer says, as gretel does, that a field of the GRE header is missing. */
static bool is_asked_for(struct doctor *d, uint32_t at)
{
	const struct probes_reach *r = probes_reach(d);
	bool v4 = d->tunnel->remote.family == IP_V4;
	uint32_t header = v4 ? IP4_HEADER_LENGTH : IP6_HEADER_LENGTH;
	uint8_t type = v4 ? (uint8_t)ICMP4_PARAMETER_PROBLEM : (uint8_t)ICMP6_PARAMETER_PROBLEM;

	for (unsigned i = 0; i < r->error_count; i++)
		if (r->errors[i].seen.type == type && r->errors[i].seen.quoted == IP_PROTOCOL_GRE &&
		    r->errors[i].seen.pointer == header + at)
			return true;
	return false;
}

/* The peer's own packets have the field that ours have not, and ours are not answered. */
static bool is_likely(struct doctor *d, int64_t flag)
{
	const struct probes_reach *r = probes_reach(d);

	return r->gre_possible && !r->gre_answers && !r->inner_answers &&
	       doctor_number(r->after, "last_rx_ms", INT64_MAX) < 60000 &&
	       doctor_number(r->after, "last_rx_flags", 0) & flag;
}

static bool check_ours(struct doctor *d, const char *reason, const char *what,
		       enum conf_tunnel_key key, const char *cure)
{
	char place[DOCTOR_PLACE_SIZE];
	const json_t *stray = stray_of_peer(d, reason);

	if (!stray)
		return false;
	doctor_saw(d, "%lld packets dropped: %s", (long long)doctor_number(stray, "packets", 0),
		   reason);
	doctor_found(d, DOCTOR_BROKEN, "this side requires %s, and the peer %s sends none", what,
		     d->remote);
	doctor_mend(d, "turn them on at the peer, or write %s at %s", cure,
		    doctor_place(d, key, place));
	return true;
}

static bool check_theirs(struct doctor *d, uint32_t at, int64_t flag, bool sent, const char *what,
			 enum conf_tunnel_key key, const char *cure)
{
	char place[DOCTOR_PLACE_SIZE];
	bool asked = is_asked_for(d, at);

	if (sent || (!asked && !is_likely(d, flag)))
		return false;
	doctor_found(d, DOCTOR_BROKEN, "the peer %s %s %s, and this side sends none", d->remote,
		     asked ? "requires" : "sends, and probably requires,", what);
	doctor_mend(d, "write %s at %s, or turn them off at the peer", cure,
		    doctor_place(d, key, place));
	return true;
}

void check_options(struct doctor *d)
{
	const json_t *stray;

	if (!d->site ||
	    check_ours(d, "rx-checksum-missing", "checksums", TUNNEL_CHECKSUM, "checksum = yes") ||
	    check_ours(d, "rx-udp-checksum-missing", "UDP checksums", TUNNEL_UDP_CHECKSUM,
		       "udp-checksum = no") ||
	    check_ours(d, "rx-sequence-missing", "sequence numbers", TUNNEL_SEQUENCE,
		       "sequence = send") ||
	    check_theirs(d, GRE_CHECKSUM_AT, GRE_FLAG_CHECKSUM, d->site->params.csum_send,
			 "checksums", TUNNEL_CHECKSUM, "checksum = yes") ||
	    check_theirs(d, GRE_SEQUENCE_AT, GRE_FLAG_SEQUENCE, d->site->params.seq_send,
			 "sequence numbers", TUNNEL_SEQUENCE, "sequence = yes"))
		return;
	stray = stray_of_peer(d, "rx-checksum");
	if (!stray)
		stray = stray_of_peer(d, "rx-udp-checksum");
	if (stray) {
		doctor_found(
			d, DOCTOR_BROKEN,
			"GRE of the peer %s arrives with wrong checksums: something on the way "
			"changes it",
			d->remote);
		doctor_mend(
			d,
			"look for a broken device or driver (ethtool -K DEVICE tx off rx off), or "
			"for something that rewrites the inside");
	}
	stray = stray_of_peer(d, "rx-sequence");
	if (stray) {
		doctor_found(d, DOCTOR_DEGRADED,
			     "packets of the peer %s come out of order or twice", d->remote);
		doctor_mend(d, "do without sequence numbers: sequence = no, here and there");
	}
}

void check_stranger(struct doctor *d)
{
	const json_t *stray = stray_of_stranger(d);
	const struct probes_reach *r = probes_reach(d);
	char place[DOCTOR_PLACE_SIZE];
	const char *from;

	if (!stray)
		return;
	from = doctor_text(stray, "remote");
	doctor_saw(d, "%lld packets from %s", (long long)doctor_number(stray, "packets", 0), from);
	if (r->gre_answers || r->inner_answers ||
	    doctor_number(r->after, "last_rx_ms", INT64_MAX) <
		    doctor_number(stray, "last_ms", INT64_MAX)) {
		doctor_found(d, DOCTOR_HEALTHY,
			     "GRE with this tunnel's key comes from %s too, which is not the peer: "
			     "it is "
			     "dropped",
			     from);
		return;
	}
	doctor_found(d, DOCTOR_BROKEN,
		     "GRE for this tunnel comes from %s, but the peer is to be %s", from,
		     d->remote);
	doctor_mend(d, "if that is the peer, with a new address or behind NAT: remote = %s at %s",
		    from, doctor_place(d, TUNNEL_REMOTE, place));
}
