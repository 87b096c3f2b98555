/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * return_path.h: `return-path = same-tunnel`. PURE.
 *
 * Each such tunnel has a number of its own, 1 to 255, for as long as it is in the file. It stands
 *in the highest octet of the connection mark of the flows that come in by the tunnel (the other 24
 *bits are left alone), goes from there into the packet mark of their replies, and a rule of policy
 * routing sends what has it to a table in which only the tunnel's default route stands.
 *
 *	packet in by the tunnel, of the flow's opener    ct mark = number << 24      (nftables)
 *	reply, from the LAN or from this host            mark = number << 24         (nftables)
 *	fwmark number << 24 / 0xff000000                 lookup 7100 + number        (ip rule 7100)
 *	table 7100 + number                              default dev TUNNEL
 *	                                                 unreachable default, metric 4294967295
 */
#ifndef CTL_RETURN_PATH_H
#define CTL_RETURN_PATH_H

#include <stdio.h>

#include "ctl/conf.h"
#include "ctl/state.h"
#include "os/rule.h"

#define RETURN_MASK	0xff000000U
#define RETURN_TABLE	7100 /* plus the number */
#define RETURN_PRIORITY 7100

/* *out (the caller frees it) has one number per tunnel of the conf, 0 without return-path. Those
 * that `state` (may be NULL) knows stay, others get the lowest that is free. Returns 0 or -ENOMEM.
 */
int return_numbers(const struct conf *conf, const struct state *state, uint8_t **out);

struct rule_info return_rule(uint8_t number, uint8_t family);

/* The chains of the table that set the marks; nothing when no tunnel has a number. */
void return_print(const struct conf *conf, const uint8_t *numbers, FILE *out);
/* The first tunnel with return-path; NULL: none. */
const struct conf_tunnel *return_first(const struct conf *conf);

#endif
