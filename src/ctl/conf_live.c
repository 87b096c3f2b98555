/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of [tunnel] that say how the tunnel knows whether its peer is there. */
#include "ctl/conf_parse.h"

#include <string.h>

#include "ctl/conf_value.h"

#define KEEPALIVE_MS_MIN 50
#define KEEPALIVE_MS_MAX 32767000 /* the range of Cisco's `keepalive` */

void conf_key_keepalive(struct conf_reader *reader, char *value)
{
	struct conf_tunnel *tunnel = reader->tunnel;
	uint32_t interval = 0, retries = 0;
	char *words[2] = {"", ""};
	size_t count = value_split(value, words, 2);

	if (count == 1 && strcmp(words[0], "no") == 0) {
		tunnel->keepalive_interval_ms = 0;
		tunnel->keepalive_retries = 0;
	} else if (count != 2 || !value_duration(words[0], &interval) ||
		   interval < KEEPALIVE_MS_MIN || interval > KEEPALIVE_MS_MAX ||
		   !value_u32(words[1], 1, 255, &retries)) {
		conf_fault(reader->faults, reader->at,
			   "the keepalive is not understood: write an interval from 50ms to 32767s "
			   "and retries from 1 to 255, for example keepalive = 10s 3, or no");
	} else {
		tunnel->keepalive_interval_ms = interval;
		tunnel->keepalive_retries = (uint8_t)retries;
	}
}

/* In the order of enum keepalive_form. */
const char *const conf_forms[] = {"auto",   "cisco",   "cisco-cmd", "huawei",
				  "inside", "openbsd", "mikrotik",  NULL};

void conf_key_keepalive_form(struct conf_reader *reader, char *value)
{
	int index = conf_word(reader, value, conf_forms,
			      "auto, cisco, cisco-cmd, huawei, inside, openbsd or mikrotik");

	if (index >= 0)
		reader->tunnel->keepalive_form = (enum keepalive_form)index;
}

void conf_key_keepalive_hold(struct conf_reader *reader, char *value)
{
	conf_yes_or_no(reader, value, &reader->tunnel->keepalive_hold);
}

void conf_key_keepalive_nat(struct conf_reader *reader, char *value)
{
	conf_yes_or_no(reader, value, &reader->tunnel->keepalive_nat);
}

void conf_key_probe(struct conf_reader *reader, char *value)
{
	struct ip_addr target = {.family = IP_NONE};
	char *words[2] = {"", ""};
	size_t count = value_split(value, words, 2);

	if (count == 2 && strcmp(words[0], "icmp") == 0) {
		if (!conf_parse_addr(reader, words[1], &target))
			return;
	} else if (count != 1 || strcmp(words[0], "keepalive") != 0) {
		conf_fault(reader->faults, reader->at,
			   "the probe is not understood: write keepalive, or icmp and an address "
			   "behind the tunnel, for example probe = icmp 192.168.8.11");
		return;
	}
	reader->tunnel->probe = target;
}

void conf_key_echo_reply(struct conf_reader *reader, char *value)
{
	static const char *const words[] = {"deliver", "return", NULL};
	int index = conf_word(reader, value, words, "deliver or return");

	if (index >= 0)
		reader->tunnel->echo_return = index == 1;
}
