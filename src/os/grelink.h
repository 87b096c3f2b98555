/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grelink.h: the kernel's own GRE interfaces, by rtnetlink; we read them and never make any. */
#ifndef OS_GRELINK_H
#define OS_GRELINK_H

#include <stdbool.h>
#include <stdint.h>

#include "os/link.h"

/* What else stands between the outer IP header and GRE; the kernel's numbers. */
enum gre_encap { GRE_ENCAP_NONE, GRE_ENCAP_FOU, GRE_ENCAP_GUE, GRE_ENCAP_MPLS };

struct gre_link {
	struct link_info link; /* kind: "gre", "gretap", "ip6gre", "ip6gretap", "erspan", ... */
	bool elsewhere;	       /* outer packets belong to another network namespace */
	uint32_t bind;	       /* index of the link that outer packets leave by; 0: any */
	uint8_t family;	       /* of the outer packets */
	struct ip_addr local, remote; /* family IP_NONE: any */
	bool has_ikey, has_okey;
	uint32_t ikey, okey; /* host order */
	bool icsum, ocsum, iseq, oseq;
	uint8_t ttl; /* 0: the passenger's */
	uint8_t tos; /* with bit 0: the passenger's. Of IPv6 the traffic class */
	bool tos_inherit;
	bool pmtudisc;	     /* IPv4: outer packets always have DF; else the passenger's */
	bool ignore_df;	     /* and with this never */
	bool external;	     /* made for collect_md: each packet brings its own addresses */
	uint32_t flow_label; /* IPv6, host order */
	uint8_t encap_limit; /* IPv6, RFC 2473 4.1.1: 0: no such option is sent */
	uint16_t encap;	     /* enum gre_encap */
	uint16_t encap_sport, encap_dport; /* host order; 0: any */
	bool encap_csum6;		   /* UDP over IPv6 has its checksum */
	bool encap_remcsum;		   /* GUE: inner checksums are left to the receiver */
	uint32_t fwmark;
};

/* What a message of type RTM_NEWLINK says of a link of one of the kinds above. Returns 0, -ENOENT
 * when it is of another kind, or -EINVAL when an attribute is too short or of an unknown family. */
int gre_link_decode(const struct nlmsghdr *message, struct gre_link *out);

typedef int (*gre_link_each_fn)(void *arg, const struct gre_link *link);
/* All of them in this namespace, one dump. A value below zero from `each` ends the walk. */
int gre_link_each(struct nl *nl, gre_link_each_fn each, void *arg);

#endif
