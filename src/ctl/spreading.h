/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spreading.h: XDP spreads packets over CPUs as the file says, or as the CPUs fare. */
#ifndef CTL_SPREADING_H
#define CTL_SPREADING_H

#include <stdbool.h>

#include "ctl/conf.h"
#include "ctl/spread.h"
#include "dp/fast.h"

enum { SPREADING_CPUS_MAX = 1024, SPREADING_MS = 1000 };

struct spreading {
	enum conf_spread setting;
	bool looks;	     /* at the CPUs, each second */
	int error;	     /* why it was refused the last time; 0: it was not */
	unsigned seen_count; /* CPUs; 0: not looked at yet */
	struct spread_judge judge;
	struct proc_cpu seen[SPREADING_CPUS_MAX];
};

/* The setting, or the devices where XDP is, may be others. Returns whether spreading_look() is
 * wanted each SPREADING_MS. */
bool spreading_settle(struct spreading *s, struct fast *fast, enum conf_spread setting);
void spreading_look(struct spreading *s, struct fast *fast);

/* For the status. */
struct spreading_told {
	const char *setting; /* the file's word */
	uint32_t cpus;	     /* over so many; 0: not at all */
	int64_t lost;	     /* packets for which a CPU had no room; -1: nobody counts them */
	char reason[192];    /* why not; "" when it does */
};
/* `fast` NULL: there are no kernel lanes. */
void spreading_tell(const struct spreading *s, const struct fast *fast, struct spreading_told *out);

#endif
