/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of [tunnel] that say which of several tunnels a packet takes. */
#include "ctl/conf_parse.h"

#include <string.h>

#include "ctl/conf_value.h"

void conf_key_backup_of(struct conf_reader *reader, char *value)
{
	char name[IFNAMSIZ];
	const char *wrong = value_name(value, name);

	if (wrong)
		conf_fault(reader->faults, reader->at,
			   "\"%.40s\" %s: write the name of another tunnel", value, wrong);
	else
		memcpy(reader->tunnel->backup_of, name, sizeof name);
}

/* NAME | NAME weight N */
void conf_key_group(struct conf_reader *reader, char *value)
{
	struct conf_tunnel *tunnel = reader->tunnel;
	char *words[3] = {"", "", ""}, name[IFNAMSIZ];
	size_t count = value_split(value, words, 3);
	const char *wrong = value_name(words[0], name);
	uint32_t weight = 1;

	if (wrong) {
		conf_fault(reader->faults, reader->at,
			   "\"%.40s\" %s: write a name of your choice for the group", words[0],
			   wrong);
	} else if (count != 1 && (count != 3 || strcmp(words[1], "weight") != 0 ||
				  !value_u32(words[2], 1, 255, &weight))) {
		conf_fault(reader->faults, reader->at,
			   "the group is not understood: write a name, or NAME weight N with N "
			   "from 1 to 255");
	} else {
		memcpy(tunnel->group, name, sizeof name);
		tunnel->weight = (uint8_t)weight;
	}
}

void conf_key_return_path(struct conf_reader *reader, char *value)
{
	static const char *const words[] = {"no", "same-tunnel", NULL};
	int index = value_word(value, words);

	if (index >= 0)
		reader->tunnel->return_path = index == 1;
	else
		conf_bad_value(reader, value, "same-tunnel or no");
}
