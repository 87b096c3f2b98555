/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/state_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare(const char *name, uint8_t family, const struct state_name *with)
{
	int order = strcmp(name, with->name);

	return order ? order : family - with->family;
}

/* Where it is, or would be put in. */
static size_t place(const struct state *state, const char *name, uint8_t family)
{
	size_t low = 0, high = state->name_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(name, family, &state->names[middle]) > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct state_name *state_find_name(const struct state *state, const char *name, uint8_t family)
{
	size_t at = place(state, name, family);

	return at < state->name_count && compare(name, family, &state->names[at]) == 0
		       ? &state->names[at]
		       : NULL;
}

struct state_name *state_add_name(struct state *state, const char *name, uint8_t family)
{
	size_t at = place(state, name, family);
	struct state_name *names = state_find_name(state, name, family);
	char *copy;

	if (names)
		return names;
	copy = strdup(name);
	names = reallocarray(state->names, state->name_count + 1, sizeof(*names));
	if (names)
		state->names = names;
	if (!copy || !names) {
		free(copy);
		return NULL;
	}
	memmove(&names[at + 1], &names[at], (state->name_count++ - at) * sizeof(*names));
	names[at] = (struct state_name){.name = copy, .family = family};
	return &names[at];
}

void state_del_name(struct state *state, const char *name, uint8_t family)
{
	struct state_name *found = state_find_name(state, name, family);
	size_t at = found ? (size_t)(found - state->names) : 0;

	if (!found)
		return;
	free(found->name);
	memmove(found, found + 1, (--state->name_count - at) * sizeof(*found));
}

int state_names_read(json_t *array, struct state *out)
{
	size_t index;
	json_t *pair;

	json_array_foreach (array, index, pair) {
		const char *name = json_string_value(json_array_get(pair, 0));
		const char *text = json_string_value(json_array_get(pair, 1));
		struct state_name *added;
		struct ip_addr addr;

		if (!name || !text || !addr_parse(text, &addr))
			return -EBADMSG;
		added = state_add_name(out, name, addr.family);
		if (!added)
			return -ENOMEM;
		added->addr = addr;
	}
	return 0;
}

json_t *state_names_make(const struct state *state)
{
	json_t *array = json_array();
	char text[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < state->name_count; i++)
		if (state->names[i].addr.family != IP_NONE)
			json_array_append_new(array,
					      json_pack("[ss]", state->names[i].name,
							addr_format(&state->names[i].addr, text)));
	return array;
}

void state_names_free(struct state *state)
{
	for (size_t i = 0; i < state->name_count; i++)
		free(state->names[i].name);
	free(state->names);
	state->names = NULL;
	state->name_count = 0;
}
