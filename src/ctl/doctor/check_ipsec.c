/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether GRE that is to be encrypted is. The kernel looks for the policy of a packet that a
 * program has written whole, header included, with protocol 255 (raw) instead of the packet's own,
 * so a policy for protocol 47 does not match what greteld sends, though it matches what it
 * receives.
 */
#include "ctl/doctor/doctor.h"
#include "os/xfrmpolicy.h"
#include "proto/ip.h"

#define PROTOCOL_RAW 255

struct policies {
	const struct conf_tunnel *tunnel;
	bool for_gre, covers; /* one that means GRE; one that matches greteld's packets */
};

static int take_policy(void *arg, const struct xfrm_policy *policy)
{
	struct policies *p = arg;

	if (!policy->out || !prefix_contains(&policy->from, &p->tunnel->local) ||
	    !prefix_contains(&policy->to, &p->tunnel->remote))
		return 0;
	p->for_gre |= policy->protocol == IP_PROTOCOL_GRE;
	p->covers |= policy->protocol == 0 || policy->protocol == PROTOCOL_RAW;
	return 0;
}

void check_ipsec(struct doctor *d)
{
	struct policies p = {.tunnel = d->tunnel};

	if (d->tunnel->udp_port || !d->host->may_admin || xfrm_policy_each(take_policy, &p) != 0)
		return;
	if (p.covers)
		doctor_saw(d, "an IPsec policy covers packets to %s", d->remote);
	if (!p.for_gre || p.covers)
		return;
	doctor_found(d, DOCTOR_DEGRADED,
		     "the IPsec policy for GRE to %s does not match greteld's packets: they leave "
		     "unencrypted",
		     d->remote);
	doctor_mend(d,
		    "write the policy from %s to %s without a protocol (proto gre), here and there",
		    d->local, d->remote);
}
