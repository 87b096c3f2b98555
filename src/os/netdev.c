/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/netdev.h"

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

#include "os/netlink.h"

/* linux/netdev.h, which Debian 12 does not have. */
enum { DEV_GET = 1 };
enum { DEV_IFINDEX = 1, DEV_XDP_FEATURES = 3 };
enum { XDP_ACT_NDO_XMIT = 4 };

/* An attribute of the answer, of two or eight octets. */
struct sought {
	uint16_t type;
	bool found;
	uint64_t value;
};

static int take(void *arg, const struct nlmsghdr *answer)
{
	struct nl_cursor cursor = nl_attributes(answer, sizeof(struct genlmsghdr));
	struct sought *sought = arg;
	const struct nlattr *attribute;

	while ((attribute = nl_next(&cursor))) {
		size_t len = mnl_attr_get_payload_len(attribute);

		if (mnl_attr_get_type(attribute) != sought->type ||
		    (len != sizeof(uint16_t) && len != sizeof(uint64_t)))
			continue;
		sought->value = len == sizeof(uint16_t) ? mnl_attr_get_u16(attribute)
							: mnl_attr_get_u64(attribute);
		sought->found = true;
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
	struct sought family = {.type = CTRL_ATTR_FAMILY_ID};
	struct sought features = {.type = DEV_XDP_FEATURES};
	char buffer[NL_REQUEST_SIZE];
	struct nlmsghdr *request;
	struct nl nl;
	int err;

	if (nl_open(&nl, NETLINK_GENERIC) != 0)
		return true;
	request = begin(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, "netdev");
	err = nl_ask(&nl, request, take, &family);
	if (!err && family.found) {
		request = begin(buffer, (uint16_t)family.value, DEV_GET);
		mnl_attr_put_u32(request, DEV_IFINDEX, ifindex);
		err = nl_ask(&nl, request, take, &features);
	}
	nl_close(&nl);
	return err || !features.found || features.value & XDP_ACT_NDO_XMIT;
}
