/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/return_path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static uint8_t known_number(const struct state *state, const char *name)
{
	for (unsigned i = 1; state && i < STATE_RETURNS; i++)
		if (strcmp(state->returns[i], name) == 0)
			return (uint8_t)i;
	return 0;
}

static uint8_t free_number(const struct state *state, const bool taken[STATE_RETURNS])
{
	for (unsigned i = 1; i < STATE_RETURNS; i++)
		if (!taken[i] && !(state && state->returns[i][0]))
			return (uint8_t)i;
	/* All are taken or kept for tunnels that go with this plan. */
	for (unsigned i = 1; i < STATE_RETURNS; i++)
		if (!taken[i])
			return (uint8_t)i;
	return 0;
}

int return_numbers(const struct conf *conf, const struct state *state, uint8_t **out)
{
	bool taken[STATE_RETURNS] = {false};
	uint8_t *numbers = calloc(conf->tunnel_count + 1, sizeof(*numbers));

	*out = numbers;
	if (!numbers)
		return -ENOMEM;
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		if (!conf->tunnels[i].return_path)
			continue;
		numbers[i] = known_number(state, conf->tunnels[i].name);
		taken[numbers[i]] = true;
	}
	for (size_t i = 0; i < conf->tunnel_count; i++) {
		if (!conf->tunnels[i].return_path || numbers[i])
			continue;
		numbers[i] = free_number(state, taken);
		taken[numbers[i]] = true;
	}
	return 0;
}

static uint32_t mark_of(uint8_t number)
{
	return (uint32_t)number << 24;
}

struct rule_info return_rule(uint8_t number, uint8_t family)
{
	return (struct rule_info){.family = family,
				  .priority = RETURN_PRIORITY,
				  .mark = mark_of(number),
				  .mask = RETURN_MASK,
				  .table = RETURN_TABLE + number};
}

/* Replies of flows that have a number get it as their packet mark. */
static void print_replies(const struct conf *conf, const uint8_t *numbers, FILE *out)
{
	fprintf(out, "\t\tct direction != reply return\n");
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (numbers[i])
			fprintf(out,
				"\t\tct mark and 0x%08x == 0x%08" PRIx32
				" meta mark set meta mark and 0x%08x or 0x%08" PRIx32 "\n",
				RETURN_MASK, mark_of(numbers[i]), ~RETURN_MASK,
				mark_of(numbers[i]));
	fprintf(out, "\t}\n");
}

void return_print(const struct conf *conf, const uint8_t *numbers, FILE *out)
{
	if (!return_first(conf))
		return;
	/* With each packet of the opener, so that a flow may move from one tunnel to another. */
	fprintf(out, "\tchain return_in {\n\t\ttype filter hook prerouting priority mangle\n");
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (numbers[i])
			fprintf(out,
				"\t\tiifname \"%s\" ct direction original "
				"ct mark set ct mark and 0x%08x or 0x%08" PRIx32 "\n",
				conf->tunnels[i].name, ~RETURN_MASK, mark_of(numbers[i]));
	print_replies(conf, numbers, out);
	fprintf(out, "\tchain return_out {\n\t\ttype route hook output priority mangle\n");
	print_replies(conf, numbers, out);
}

const struct conf_tunnel *return_first(const struct conf *conf)
{
	for (size_t i = 0; i < conf->tunnel_count; i++)
		if (conf->tunnels[i].return_path)
			return &conf->tunnels[i];
	return NULL;
}
