/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iptunnel.h: the words of `ip tunnel` and of `ip link add … type gre`, as `gretel add`, `change`
 * and `show` take and print them. Values only, no I/O.
 */
#ifndef CTL_IPTUNNEL_H
#define CTL_IPTUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/conf.h"

#define IPTUNNEL_ERROR_SIZE 320

/* Of a thing that can be switched on, switched off or not mentioned. */
enum iptunnel_said { SAID_NOTHING, SAID_ON, SAID_OFF };

/* What the words said. A thing that was not mentioned keeps its value (change) or takes the default
 * of the configuration file (add). */
struct iptunnel {
	char name[IFNAMSIZ];
	bool has_mode;
	enum conf_mode mode;
	uint8_t mode_family;	      /* what the mode's name asks for; IP_NONE: either */
	struct ip_addr local, remote; /* family IP_NONE: not mentioned */
	bool has_dev;
	char dev[IFNAMSIZ];
	bool has_fwmark;
	uint32_t fwmark;
	bool has_ttl, ttl_inherit;
	uint8_t ttl;
	bool has_tos, tos_inherit;
	uint8_t tos;
	bool has_mtu;
	uint32_t mtu;
	enum iptunnel_said ikey, okey, icsum, ocsum, iseq, oseq, pmtudisc, ignore_df;
	uint32_t ikey_value, okey_value; /* host order */
};

/* Reads NAME and what follows it. Returns 0, or -EINVAL and one line in `error`. */
int iptunnel_parse(const char *const *words, size_t count, struct iptunnel *out,
		   char error[IPTUNNEL_ERROR_SIZE]);
/* Refuses what contradicts itself: families, DF. iptunnel_parse() has done it. */
int iptunnel_check(const struct iptunnel *t, char error[IPTUNNEL_ERROR_SIZE]);
/* Puts what was said over `tunnel`. Returns 0, or -EINVAL, `error`, and `tunnel` as it was. */
int iptunnel_apply(const struct iptunnel *said, struct conf_tunnel *tunnel,
		   char error[IPTUNNEL_ERROR_SIZE]);

/* One line like that of `ip tunnel show`; the words after the colon can be given to `add`. */
void iptunnel_print(const struct conf_tunnel *tunnel, FILE *out);

#endif
