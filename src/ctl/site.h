/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * site.h: the desired state: what a conf means on this host, with everything computed that the file
 * leaves to us (MTU, MSS, forwarding, rules). PURE: what has to be asked is in struct actual.
 */
#ifndef CTL_SITE_H
#define CTL_SITE_H

#include "ctl/actual.h"
#include "ctl/conf.h"
#include "dp/dp.h"

struct site_tunnel {
	const struct conf_tunnel *conf; /* borrowed */
	struct dp_params params;	/* .mtu is the interface's */
	char alias[LINK_ALIAS_SIZE];	/* the mark and the canonical text of the parameters */
	/* What a flow sends by another tunnel may come by this one: rp_filter must not be strict.
	 */
	bool shares_flows;
};

struct site {
	const struct conf *conf;     /* borrowed; NULL: nothing is wanted */
	struct site_tunnel *tunnels; /* in the conf's order */
	size_t tunnel_count;
	bool forward[SWITCH_COUNT]; /* forwarding to be turned on */
	char *rules;		    /* rules_text(); NULL: no table */
};

/* `conf` (NULL: nothing is wanted) must outlive *out; `actual` was read for the same conf. Returns
 * 0 or -ENOMEM. */
int site_build(const struct conf *conf, const struct actual *actual, struct site *out);
void site_free(struct site *site);

/* Families of the packets that the conf moves through tunnels or rules: bit SWITCH_FORWARD4, bit
 * SWITCH_FORWARD6. Tunnels in a bridge count for nothing. */
unsigned site_families(const struct conf *conf);

#endif
