/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Of any configuration that is accepted, the other end of every tunnel is one that is accepted,
 * too, and every system has words for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/peer/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_all(const struct peer_view *view)
{
	static const char *const systems[] = {
		"gretel", "iproute2", "systemd-networkd", "netplan", "cisco-ios", "mikrotik",
		"vyos",	  "junos",    "huawei",		  "openbsd", "fortios"};
	char *text = NULL;
	size_t size = 0;

	for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
		FILE *out = open_memstream(&text, &size);

		peer_print(view, peer_find_system(systems[i]), out, out);
		fclose(out);
		free(text);
	}
}

static void check_mirror(const struct peer_view *view)
{
	struct conf *again;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	conf_print(view->conf, out);
	fclose(out);
	if (conf_load_text("mirror", text, stderr, &again) != 0) {
		fputs(text, stderr);
		abort();
	}
	conf_free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *said = NULL;
	size_t said_size = 0;
	FILE *errors = open_memstream(&said, &said_size);
	struct conf *conf = NULL;

	memcpy(text, data, size);
	text[size] = 0;
	if (conf_load_text("fuzz", text, errors, &conf) == 0) {
		for (size_t i = 0; i < conf->tunnel_count && i < 4; i++) {
			struct peer_view view;

			/* nobody's other side is printed of several peers */
			if (conf->tunnels[i].peer_count || conf->tunnels[i].hub)
				continue;
			if (peer_mirror(conf, &conf->tunnels[i], 0, &view) != 0)
				abort();
			print_all(&view);
			check_mirror(&view);
			peer_view_free(&view);
		}
		conf_free(conf);
	}
	fclose(errors);
	free(said);
	free(text);
	return 0;
}
