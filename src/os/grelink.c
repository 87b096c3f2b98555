/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/grelink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* IFLA_GRE_FLOWINFO is the first word of an IPv6 header without its version. */
#define FLOW_CLASS(info) ((uint8_t)((info) >> 20))
#define FLOW_LABEL(info) ((info)&0xfffff)

/* IFLA_GRE_FLAGS of ip6gre (include/uapi/linux/ip6_tunnel.h). */
#define FLAG_IGN_ENCAP_LIMIT 0x1
#define FLAG_USE_ORIG_TCLASS 0x2

static const struct {
	const char *name;
	uint8_t family;
} kinds[] = {
	{"gre", IP_V4},	   {"gretap", IP_V4},	 {"erspan", IP_V4},
	{"ip6gre", IP_V6}, {"ip6gretap", IP_V6}, {"ip6erspan", IP_V6},
};

static uint8_t family_of(const char *kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i].name) == 0)
			return kinds[i].family;
	return IP_NONE;
}

/* How many octets the value of an attribute must have at least; addresses are judged apart. */
static size_t size_of(uint16_t type)
{
	switch (type) {
	case IFLA_GRE_LINK:
	case IFLA_GRE_IKEY:
	case IFLA_GRE_OKEY:
	case IFLA_GRE_FLOWINFO:
	case IFLA_GRE_FLAGS:
	case IFLA_GRE_FWMARK:
		return 4;
	case IFLA_GRE_IFLAGS:
	case IFLA_GRE_OFLAGS:
	case IFLA_GRE_ENCAP_TYPE:
	case IFLA_GRE_ENCAP_SPORT:
	case IFLA_GRE_ENCAP_DPORT:
	case IFLA_GRE_ENCAP_FLAGS:
		return 2;
	case IFLA_GRE_TTL:
	case IFLA_GRE_TOS:
	case IFLA_GRE_PMTUDISC:
	case IFLA_GRE_IGNORE_DF:
	case IFLA_GRE_ENCAP_LIMIT:
		return 1;
	default:
		return 0;
	}
}

static void read_flags(uint16_t flags, bool *key, bool *csum, bool *seq)
{
	*key = flags & GRE_KEY;
	*csum = flags & GRE_CSUM;
	*seq = flags & GRE_SEQ;
}

/* An address of all zeros stands for any. */
static int read_end(const struct nlattr *attribute, uint8_t family, struct ip_addr *out)
{
	int err = nl_get_addr(attribute, family, out);

	if (!err && addr_is_any(out))
		*out = (struct ip_addr){0};
	return err;
}

/* What says who a packet belongs to. */
static int read_identity(const struct nlattr *attribute, struct gre_link *out)
{
	switch (mnl_attr_get_type(attribute)) {
	case IFLA_GRE_LINK:
		out->bind = mnl_attr_get_u32(attribute);
		break;
	case IFLA_GRE_IFLAGS: /* network order, as GRE_KEY and the others are */
		read_flags(mnl_attr_get_u16(attribute), &out->has_ikey, &out->icsum, &out->iseq);
		break;
	case IFLA_GRE_OFLAGS:
		read_flags(mnl_attr_get_u16(attribute), &out->has_okey, &out->ocsum, &out->oseq);
		break;
	case IFLA_GRE_IKEY:
		out->ikey = ntohl(mnl_attr_get_u32(attribute));
		break;
	case IFLA_GRE_OKEY:
		out->okey = ntohl(mnl_attr_get_u32(attribute));
		break;
	case IFLA_GRE_LOCAL:
		return read_end(attribute, out->family, &out->local);
	case IFLA_GRE_REMOTE:
		return read_end(attribute, out->family, &out->remote);
	}
	return 0;
}

/* What the outer header has. */
static void read_header(const struct nlattr *attribute, struct gre_link *out)
{
	uint32_t word;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_GRE_TTL:
		out->ttl = mnl_attr_get_u8(attribute);
		break;
	case IFLA_GRE_TOS:
		out->tos = mnl_attr_get_u8(attribute);
		out->tos_inherit = out->tos & 1;
		break;
	case IFLA_GRE_PMTUDISC:
		out->pmtudisc = mnl_attr_get_u8(attribute) != 0;
		break;
	case IFLA_GRE_IGNORE_DF:
		out->ignore_df = mnl_attr_get_u8(attribute) != 0;
		break;
	case IFLA_GRE_FLOWINFO:
		word = ntohl(mnl_attr_get_u32(attribute));
		out->tos = FLOW_CLASS(word);
		out->flow_label = FLOW_LABEL(word);
		break;
	case IFLA_GRE_ENCAP_LIMIT:
		out->encap_limit = mnl_attr_get_u8(attribute);
		break;
	}
}

static void read_extra(const struct nlattr *attribute, struct gre_link *out)
{
	switch (mnl_attr_get_type(attribute)) {
	case IFLA_GRE_COLLECT_METADATA:
		out->external = true;
		break;
	case IFLA_GRE_ENCAP_TYPE:
		out->encap = mnl_attr_get_u16(attribute);
		break;
	case IFLA_GRE_ENCAP_SPORT:
		out->encap_sport = ntohs(mnl_attr_get_u16(attribute));
		break;
	case IFLA_GRE_ENCAP_DPORT:
		out->encap_dport = ntohs(mnl_attr_get_u16(attribute));
		break;
	case IFLA_GRE_ENCAP_FLAGS:
		out->encap_csum6 = mnl_attr_get_u16(attribute) & TUNNEL_ENCAP_FLAG_CSUM6;
		out->encap_remcsum = mnl_attr_get_u16(attribute) & TUNNEL_ENCAP_FLAG_REMCSUM;
		break;
	case IFLA_GRE_FWMARK:
		out->fwmark = mnl_attr_get_u32(attribute);
		break;
	}
}

static int read_data(const struct nlattr *data, struct gre_link *out)
{
	struct nl_cursor cursor = nl_nested(data);
	const struct nlattr *attribute;
	uint32_t flags = 0;

	while ((attribute = nl_next(&cursor))) {
		uint16_t type = mnl_attr_get_type(attribute);
		int err;

		if (mnl_attr_get_payload_len(attribute) < size_of(type))
			return -EINVAL;
		err = read_identity(attribute, out);
		if (err)
			return err;
		read_header(attribute, out);
		read_extra(attribute, out);
		if (type == IFLA_GRE_FLAGS)
			flags = mnl_attr_get_u32(attribute);
	}
	if (flags & FLAG_IGN_ENCAP_LIMIT)
		out->encap_limit = 0;
	out->tos_inherit |= (flags & FLAG_USE_ORIG_TCLASS) != 0;
	return 0;
}

/* The IFLA_INFO_DATA of a link, or NULL. */
static const struct nlattr *find_data(const struct nlattr *info)
{
	struct nl_cursor cursor = nl_nested(info);
	const struct nlattr *attribute;

	while ((attribute = nl_next(&cursor)))
		if (mnl_attr_get_type(attribute) == IFLA_INFO_DATA)
			return attribute;
	return NULL;
}

int gre_link_decode(const struct nlmsghdr *message, struct gre_link *out)
{
	const struct nlattr *attribute, *data = NULL;
	struct nl_cursor cursor;

	*out = (struct gre_link){0};
	link_decode(message, &out->link);
	out->family = family_of(out->link.kind);
	if (out->family == IP_NONE)
		return -ENOENT;
	cursor = nl_attributes(message, sizeof(struct ifinfomsg));
	while ((attribute = nl_next(&cursor))) {
		if (mnl_attr_get_type(attribute) == IFLA_LINKINFO)
			data = find_data(attribute);
		else if (mnl_attr_get_type(attribute) == IFLA_LINK_NETNSID)
			out->elsewhere = true;
	}
	return data ? read_data(data, out) : 0;
}

struct walk {
	gre_link_each_fn each;
	void *arg;
};

static int walk_link(void *arg, const struct nlmsghdr *answer)
{
	struct walk *walk = arg;
	struct gre_link link;
	int err;

	if (answer->nlmsg_type != RTM_NEWLINK)
		return 0;
	err = gre_link_decode(answer, &link);
	if (err)
		return err == -ENOENT ? 0 : err;
	return walk->each(walk->arg, &link);
}

int gre_link_each(struct nl *nl, gre_link_each_fn each, void *arg)
{
	struct walk walk = {each, arg};

	return link_dump(nl, walk_link, &walk);
}
