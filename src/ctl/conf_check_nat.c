/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a tunnel through a NAT needs: remote = any on the side that is reached, and on both the
 * secret, a key, UDP, and something that keeps the way open. */
#include "ctl/conf_parse.h"

/* Who learns an address needs all that tells the peer from others. */
static void check_any(const struct conf_tunnel *t, struct conf_faults *faults)
{
	struct conf_place at = conf_key_place(t, TUNNEL_REMOTE);

	if (!t->udp_port)
		conf_fault(
			faults, at,
			"remote = any learns where the peer behind a NAT is, for which GRE has no "
			"ports: write udp = yes, or the peer's address");
	if (!t->lines[TUNNEL_NAT_SECRET])
		conf_fault(
			faults, at,
			"remote = any needs a secret by which the peer is known: write nat-secret "
			"= what \"openssl rand -hex 16\" prints, the same at both ends");
}

static void check_secret(const struct conf_tunnel *t, struct conf_faults *faults)
{
	if (t->gue)
		conf_fault(faults, conf_key_place(t, TUNNEL_UDP),
			   "GUE is for peers that have no nat-secret: write udp = yes, or the port "
			   "alone");
	if (!t->udp_port && !t->remote_any)
		conf_fault(faults, conf_key_place(t, TUNNEL_NAT_SECRET),
			   "nat-secret is for a tunnel in UDP: write udp = yes, or leave it out");
	if (!t->keepalive_interval_ms)
		conf_fault(
			faults, conf_key_place(t, TUNNEL_NAT_SECRET),
			"a NAT forgets who is silent: write keepalive = 10s 3 and keepalive-form = "
			"inside, at both ends");
}

void conf_check_nat(const struct conf_tunnel *t, struct conf_faults *faults)
{
	bool keyed = t->ikey.present && t->okey.present;
	/* One that was refused is told already. */
	bool told = t->lines[TUNNEL_KEY] || (t->lines[TUNNEL_IKEY] && t->lines[TUNNEL_OKEY]);

	if (t->remote_any)
		check_any(t, faults);
	if (t->nat)
		check_secret(t, faults);
	if ((t->nat || t->remote_any) && !keyed && !told)
		conf_fault(faults,
			   conf_key_place(t, t->remote_any ? TUNNEL_REMOTE : TUNNEL_NAT_SECRET),
			   "a tunnel through a NAT is found by its key: write key = a number");
}
