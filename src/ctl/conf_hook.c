/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of [tunnel] that name a command to be run. */
#include "ctl/conf_parse.h"

#include <stdlib.h>
#include <string.h>

/* A comment is cut off before a key sees its value; what looks like one in a command would be lost
 * without a word. */
static void take_command(struct conf_reader *reader, const char *value, char **out)
{
	if (reader->commented) {
		conf_fault(reader->faults, reader->at,
			   "a # or ; behind a space ends the command: write the comment on a line "
			   "of its own, or the commands into a script");
		return;
	}
	free(*out);
	*out = strdup(value);
	if (!*out)
		reader->faults->lost = true;
}

void conf_key_on_up(struct conf_reader *reader, char *value)
{
	take_command(reader, value, &reader->tunnel->on_up);
}

void conf_key_on_down(struct conf_reader *reader, char *value)
{
	take_command(reader, value, &reader->tunnel->on_down);
}
