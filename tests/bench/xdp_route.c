// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xdp_route: attaches the program of xdp_route.bpf.c to devices of this network namespace and ends;
 * the program stays until the devices go.
 *
 *   xdp_route DEVICE...
 */
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "xdp_route.skel.h"

static int failed(const char *what)
{
	fprintf(stderr, "xdp_route: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	struct xdp_route_bpf *skel = xdp_route_bpf__open_and_load();

	if (!skel)
		return failed("load the program");
	for (int i = 1; i < argc; i++) {
		uint32_t index = if_nametoindex(argv[i]);

		if (!index || bpf_map_update_elem(bpf_map__fd(skel->maps.ports), &index, &index, 0))
			return failed(argv[i]);
		if (bpf_xdp_attach((int)index, bpf_program__fd(skel->progs.route),
				   XDP_FLAGS_DRV_MODE, NULL))
			return failed(argv[i]);
	}
	xdp_route_bpf__destroy(skel);
	return 0;
}
