/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peer is a gretel: the mirrored file, as conf_print() writes it. */
#include "ctl/peer/print.h"

void peer_for_gretel(const struct peer_view *view, const struct peer_out *out)
{
	char text[PREFIX_TEXT_SIZE];

	peer_note_devices(view, out);
	for (size_t i = 0; i < view->source_count; i++)
		peer_note(out,
			  "the default route is in table %d: choose who takes it with "
			  "\"ip rule add from %s lookup %d\"",
			  PEER_TABLE, prefix_format(&view->sources[i], text), PEER_TABLE);
	fputc('\n', out->out);
	conf_print(view->conf, out->out);
}
