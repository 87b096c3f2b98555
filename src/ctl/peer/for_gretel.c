/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peer is a gretel: the mirrored file, as conf_print() writes it. */
#include <inttypes.h>

#include "ctl/peer/print.h"

void peer_for_gretel(const struct peer_view *view, const struct peer_out *out)
{
	char text[PREFIX_TEXT_SIZE];

	peer_note_devices(view, out);
	for (size_t i = 0; i < view->source_count; i++)
		peer_note(out,
			  "the default route is in table %" PRIu32 ": choose who takes it with "
			  "\"ip rule add from %s lookup main suppress_prefixlength 0 priority %d\" "
			  "and \"ip rule add from %s lookup %" PRIu32 " priority %d\"",
			  view->table, prefix_format(&view->sources[i], text), PEER_PRIORITY_MAIN,
			  text, view->table, PEER_PRIORITY_FROM);
	fputc('\n', out->out);
	conf_print(view->conf, out->out);
}
