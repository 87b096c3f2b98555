/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/netdev.h"

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "os/netlink.h"

/* linux/netdev.h, which Debian 12 does not have. */
enum { DEV_GET = 1 };
enum { DEV_IFINDEX = 1, DEV_XDP_FEATURES = 3 };
enum { XDP_ACT_NDO_XMIT = 4 };

struct found {
	uint16_t family;
	bool told;
	uint64_t features;
};

static int take_family(void *arg, const struct nlmsghdr *answer)
{
	struct nl_cursor cursor = nl_attributes(answer, sizeof(struct genlmsghdr));
	struct found *found = arg;
	const struct nlattr *attribute;

	while ((attribute = nl_next(&cursor)))
		if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID &&
		    mnl_attr_get_payload_len(attribute) >= sizeof(uint16_t))
			found->family = mnl_attr_get_u16(attribute);
	return 0;
}

static int take_features(void *arg, const struct nlmsghdr *answer)
{
	struct nl_cursor cursor = nl_attributes(answer, sizeof(struct genlmsghdr));
	struct found *found = arg;
	const struct nlattr *attribute;

	while ((attribute = nl_next(&cursor)))
		if (mnl_attr_get_type(attribute) == DEV_XDP_FEATURES &&
		    mnl_attr_get_payload_len(attribute) >= sizeof(uint64_t)) {
			found->features = mnl_attr_get_u64(attribute);
			found->told = true;
		}
	return 0;
}

/* A generic request begins with its command, where others have an address family. */
static struct nlmsghdr *begin(char buffer[NL_REQUEST_SIZE], uint16_t family, uint8_t command)
{
	return nl_begin(buffer, family, NLM_F_ACK, sizeof(struct genlmsghdr), command);
}

bool netdev_sends_xdp(uint32_t ifindex)
{
	struct found found = {.told = false};
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request;
	struct nl nl;
	int err;

	if (nl_open(&nl, NETLINK_GENERIC) != 0)
		return true;
	request = begin(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, "netdev");
	err = nl_ask(&nl, request, take_family, &found);
	if (!err && found.family) {
		request = begin(buffer, found.family, DEV_GET);
		mnl_attr_put_u32(request, DEV_IFINDEX, ifindex);
		err = nl_ask(&nl, request, take_features, &found);
	}
	nl_close(&nl);
	return err || !found.told || found.features & XDP_ACT_NDO_XMIT;
}
