/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/drop.h"

static const struct {
	const char *name, *text;
} reasons[DROP_REASON_COUNT] = {[DROP_NONE] = {"none", "the packet is carried"},
#define DROP_ROW(id, name, text) [DROP_##id] = {name, text},
				DROP_REASONS(DROP_ROW)
#undef DROP_ROW
};

const char *drop_name(enum drop_reason reason)
{
	return (unsigned)reason < DROP_REASON_COUNT ? reasons[reason].name : "unknown";
}

const char *drop_text(enum drop_reason reason)
{
	return (unsigned)reason < DROP_REASON_COUNT ? reasons[reason].text : "unknown reason";
}
