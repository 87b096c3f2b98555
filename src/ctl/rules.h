/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules.h: the nftables table of a site, as text. PURE. */
#ifndef CTL_RULES_H
#define CTL_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "ctl/conf.h"

#define RULES_TABLE	   "inet gretel"
#define RULES_TABLE_NAME   "gretel"
#define RULES_DROP_COUNTER "forward-refused" /* packets that no `allow` line covers */

/*
 * *out is one nft transaction that replaces the table, or NULL when the site needs no rules. The
 * same conf gives the same text. `notrack` false leaves out the rules that only spare conntrack
 * work or keep copied frames from this host (for a kernel without nftables). `numbers` are those of
 * return_path.h, one per tunnel. Returns 0 or -ENOMEM. The caller frees *out.
 */
int rules_text(const struct conf *conf, bool notrack, const uint8_t *numbers, char **out);

/* For comparing texts: 64-bit FNV-1a. */
uint64_t rules_hash(const char *text);

/* One line for people: "1 allow, 2 masquerade". */
void rules_summary(const struct conf *conf, char *buf, size_t size);

#endif
