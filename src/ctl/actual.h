/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * actual.h: what the kernel has: everything that bears our marks, and what the plan for a conf
 * must know besides. A handful of dumps, whatever the number of tunnels, and two route lookups for
 * each peer.
 *
 * The marks: a link of ours is a TUN or TAP device whose alias begins with "gretel: "; addresses of
 * ours are on such a link and have protocol number 71; routes of ours have that number wherever
 * they lead, and so have rules of policy routing; nftables rules are in the table `inet gretel`.
 * What else is on our links was put there by somebody else and stays.
 */
#ifndef CTL_ACTUAL_H
#define CTL_ACTUAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/conf.h"
#include "ctl/lane.h"
#include "ctl/state.h"
#include "os/address.h"
#include "os/link.h"
#include "os/nft.h"
#include "os/route.h"
#include "os/rule.h"

#define ACTUAL_ALIAS_MARK "gretel: "

/* Sockets to the kernel; open for as long as the daemon lives. */
struct kernel {
	struct nl route;
	struct nft *nft;
	int nft_error;	     /* why there are no nftables: -errno; 0: there are */
	struct actual *kept; /* lists of the last look that are still true; NULL: there are none */
};
int kernel_open(struct kernel *kernel);
void kernel_close(struct kernel *kernel);
/* Something was announced or done that what was kept does not have. */
void kernel_forget(struct kernel *kernel);

/* The way to a peer. */
#define ACTUAL_WHY_SIZE 192
struct actual_way {
	char why[ACTUAL_WHY_SIZE]; /* an end of the tunnel is not known: what is missing */
	int error;		   /* 0, or why there is no way: -errno of route_find() */
	bool local_missing;	   /* the tunnel's local address is no address of this host */
	/* The VRF that the tunnel is bound to has no route to the peer, and so the kernel goes on
	 * to the rules behind: `way` is that of others. */
	bool leaves_vrf;
	struct route_way way;
	/* What it would be without routes and tunnels of ours. */
	int beneath_error;
	struct route_way beneath;
	uint32_t path_mtu; /* octets; 0: not known */
};

/* What net.ipv4.conf and net.ipv6.conf have for a link of ours. */
struct actual_settings {
	uint32_t index;
	bool has4, has6; /* the link has the family */
	bool ignore_linkdown4, ignore_linkdown6;
	uint8_t rp_filter;
};

struct actual {
	/* What was read for: with the ends of tunnels filled in that had to be looked up (ends.h),
	 * in `settled`, a copy that borrows the rest; NULL where there are none. */
	const struct conf *conf;
	struct conf *settled;

	struct link_info *links; /* all of the namespace, by name */
	struct actual_index {
		uint32_t index;
		struct link_info *link;
	} * links_by_index;
	size_t link_count;
	struct address_info *host_addresses; /* on all links */
	size_t host_address_count;
	struct address_info *addresses; /* on our links, by link index */
	size_t address_count;
	struct route_info
		*routes; /* all with our number, by route_compare(); they own their hops */
	size_t route_count;
	struct rule_info *policies; /* rules of policy routing with our number */
	size_t policy_count;
	struct actual_settings *settings; /* of our links, by index */
	size_t setting_count;
	uint8_t rp_filter_all, rp_filter_default;
	/* Sockets that are bound to no device get nothing that comes in by a VRF (raw_l3mdev_accept
	 * and udp_l3mdev_accept of net.ipv4, which hold for IPv6, too). */
	bool raw_deaf, udp_deaf;
	struct actual_way *ways; /* one per tunnel of the conf, in its order */
	size_t way_count;

	bool fast;		/* packets may be carried by the kernel lanes */
	bool lane_asked;	/* there was a lane to ask */
	struct dp_params *lane; /* what it carries, by name */
	size_t lane_count;

	int nft_error; /* 0: this kernel has nftables */
	bool rules_present;
	uint64_t rules_listed; /* hash of the kernel's listing */

	/* The switches now ("" where the kernel does not have one), and, where one is off that may
	 * be wanted on, all the values that turning it on would change, the switch first. */
	char switches[SWITCH_COUNT][SYSCTL_VALUE_SIZE];
	struct sysctl_list around[SWITCH_COUNT];

	const struct state *state; /* borrowed */
};

/* Reads. `conf` NULL: nothing is wanted (for `down`). `lane` NULL: there is none to ask. Returns 0
 * or -errno, and then a sentence in `error`. */
#define ACTUAL_ERROR_SIZE 512
int actual_read(struct kernel *kernel, const struct conf *conf, const struct state *state,
		const struct lane_ops *lane, struct actual *out, char error[ACTUAL_ERROR_SIZE]);
void actual_free(struct actual *actual);
/* Keeps the lists of what the kernel announces when it changes, for the next actual_read(): links,
 * addresses, routes, rules of policy routing and settings. It is for somebody who hears the
 * announcements, has changed nothing since, and needs *actual no more. */
void actual_keep(struct kernel *kernel, struct actual *actual);

/* Those that stand in one place, as route_compare() has it. */
const struct route_info *actual_routes(const struct actual *actual, const struct route_info *place,
				       size_t *count);
/* NULL when there is none. */
const struct link_info *actual_link(const struct actual *actual, const char *name);
const struct link_info *actual_link_at(const struct actual *actual, uint32_t index);
const struct dp_params *actual_lane(const struct actual *actual, const char *name);
/* Those on one of our links. */
const struct address_info *actual_addresses(const struct actual *actual, uint32_t index,
					    size_t *count);
/* NULL when there are none. */
const struct actual_settings *actual_settings(const struct actual *actual, uint32_t index);
/* The VRF that the tunnel's outer packets are in by its `bind`; NULL: it names none, or no VRF. */
const struct link_info *actual_bound_vrf(const struct actual *actual,
					 const struct conf_tunnel *tunnel);
/* Whether the link bears our mark, or is carried by our lane, or its creation by us was cut short.
 */
bool actual_is_ours(const struct actual *actual, const struct link_info *link);

#endif
