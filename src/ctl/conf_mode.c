/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mode of a tunnel, and the keys that belong to one mode. */
#include <string.h>

#include "ctl/conf_parse.h"
#include "ctl/conf_value.h"
#include "proto/erspan.h"
#include "proto/nvgre.h"

static const char *const modes[] = {"gre", "gretap", "nvgre", "erspan", NULL};

const char *conf_mode_name(enum conf_mode mode)
{
	return modes[mode];
}

bool conf_has_frames(const struct conf_tunnel *tunnel)
{
	return tunnel->mode != MODE_GRE;
}

void conf_key_mode(struct conf_reader *reader, char *value)
{
	int index = conf_word(reader, value, modes, "gre, gretap, nvgre or erspan");

	if (index >= 0)
		reader->tunnel->mode = (enum conf_mode)index;
}

void conf_key_vsid(struct conf_reader *reader, char *value)
{
	uint32_t vsid;

	if (value_u32(value, NVGRE_VSID_MIN, NVGRE_VSID_MAX, &vsid))
		reader->tunnel->vsid = vsid;
	else
		conf_bad_value(reader, value,
			       "a number from 4096 to 16777214 (0x1000 to 0xfffffe)");
}

void conf_key_erspan_type(struct conf_reader *reader, char *value)
{
	uint32_t type;

	if (value_u32(value, 1, 3, &type))
		reader->tunnel->erspan_type = (uint8_t)type;
	else
		conf_bad_value(reader, value, "1, 2 or 3");
}

void conf_key_erspan_session(struct conf_reader *reader, char *value)
{
	uint32_t session;

	if (value_u32(value, 0, ERSPAN_SESSION_MAX, &session))
		reader->tunnel->erspan_session = (uint16_t)session;
	else
		conf_bad_value(reader, value, "a number from 0 to 1023");
}

void conf_key_erspan_index(struct conf_reader *reader, char *value)
{
	if (!value_u32(value, 0, ERSPAN_INDEX_MAX, &reader->tunnel->erspan_index))
		conf_bad_value(reader, value, "a number from 0 to 1048575");
}

void conf_key_erspan_direction(struct conf_reader *reader, char *value)
{
	static const char *const words[] = {"ingress", "egress", NULL};
	int index = conf_word(reader, value, words, "ingress or egress");

	if (index >= 0)
		reader->tunnel->erspan_egress = index == 1;
}

void conf_key_erspan_hardware(struct conf_reader *reader, char *value)
{
	uint32_t hardware;

	if (value_u32(value, 0, ERSPAN_HARDWARE_MAX, &hardware))
		reader->tunnel->erspan_hardware = (uint8_t)hardware;
	else
		conf_bad_value(reader, value, "a number from 0 to 63");
}
