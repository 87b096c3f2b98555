/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ctl/actual_read.h"
#include "os/netconf.h"

static int compare(const void *a, const void *b)
{
	uint32_t x = ((const struct actual_settings *)a)->index;
	uint32_t y = ((const struct actual_settings *)b)->index;

	return x < y ? -1 : x > y;
}

const struct actual_settings *actual_settings(const struct actual *actual, uint32_t index)
{
	struct actual_settings key = {.index = index};

	return actual->setting_count ? bsearch(&key, actual->settings, actual->setting_count,
					       sizeof(key), compare)
				     : NULL;
}

static int keep(void *arg, const struct netconf_info *info)
{
	struct actual *actual = arg;
	struct actual_settings *settings;

	if (info->family == IP_V4 && info->index == NETCONF_ALL)
		actual->rp_filter_all = info->rp_filter;
	if (info->family == IP_V4 && info->index == NETCONF_DEFAULT)
		actual->rp_filter_default = info->rp_filter;
	if (info->index <= 0)
		return 0;
	settings = (struct actual_settings *)actual_settings(actual, (uint32_t)info->index);
	if (!settings)
		return 0;
	if (info->family == IP_V6) {
		settings->has6 = true;
		settings->ignore_linkdown6 = info->ignore_linkdown;
	} else {
		settings->has4 = true;
		settings->ignore_linkdown4 = info->ignore_linkdown;
		settings->rp_filter = info->rp_filter;
	}
	return 0;
}

/* A dump that is inconsistent because something changed meanwhile is still good for us: another
 * look follows what changed. */
static int read_family(struct nl *nl, uint8_t family, struct actual *actual)
{
	int err = netconf_each(nl, family, keep, actual);

	return err == -EINTR ? 0 : err;
}

int actual_read_settings(struct nl *nl, struct actual *actual)
{
	int err;

	actual->settings = calloc(actual->link_count + 1, sizeof(*actual->settings));
	if (!actual->settings)
		return -ENOMEM;
	for (size_t i = 0; i < actual->link_count; i++) {
		const struct link_info *link = actual->links_by_index[i].link;

		if (actual_is_ours(actual, link))
			actual->settings[actual->setting_count++].index = link->index;
	}
	err = read_family(nl, AF_INET, actual);
	return err ? err : read_family(nl, AF_INET6, actual);
}
