/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "os/neighbour.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

bool neighbour_is_known(const struct neighbour_info *neighbour)
{
	return neighbour->state &
	       (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT);
}

bool neighbour_decode(const struct nlmsghdr *message, struct neighbour_info *out)
{
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);
	struct nl_cursor cursor = nl_attributes(message, sizeof(*header));
	const struct nlattr *attribute;

	*out = (struct neighbour_info){.index = (uint32_t)header->ndm_ifindex,
				       .state = header->ndm_state,
				       .router = header->ndm_flags & NTF_ROUTER};
	while ((attribute = nl_next(&cursor))) {
		if (mnl_attr_get_type(attribute) == NDA_DST &&
		    nl_get_addr(attribute, header->ndm_family, &out->addr) != 0)
			return false;
		if (mnl_attr_get_type(attribute) == NDA_LLADDR &&
		    mnl_attr_get_payload_len(attribute) == sizeof(out->mac))
			memcpy(out->mac, mnl_attr_get_payload(attribute), sizeof(out->mac));
	}
	return out->addr.family != IP_NONE;
}

struct walk {
	neighbour_each_fn each;
	void *arg;
};

static int walk_neighbour(void *arg, const struct nlmsghdr *answer)
{
	struct walk *walk = arg;
	struct neighbour_info neighbour;

	if (answer->nlmsg_type != RTM_NEWNEIGH || !neighbour_decode(answer, &neighbour))
		return 0;
	return walk->each(walk->arg, &neighbour);
}

int neighbour_each(struct nl *nl, uint8_t family, neighbour_each_fn each, void *arg)
{
	char buffer[NL_REQUEST_SIZE];
	struct walk walk = {each, arg};
	int err =
		nl_ask(nl, nl_begin(buffer, RTM_GETNEIGH, NLM_F_DUMP, sizeof(struct ndmsg), family),
		       walk_neighbour, &walk);

	return err == -EOPNOTSUPP ? 0 : err; /* the kernel does not have the family */
}
