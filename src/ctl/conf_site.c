/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One function per key of [forward] and [daemon], and the parts that all keys share. */
#include "ctl/conf_parse.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/conf_value.h"

#define WORKERS_MAX 256
#define FLOWS_MIN   1024
#define FLOWS_MAX   16777216

void conf_bad_value(struct conf_reader *reader, const char *value, const char *expected)
{
	conf_fault(reader->faults, reader->at, "%s = %.60s is not understood: write %s",
		   reader->key, value, expected);
}

int conf_word(struct conf_reader *reader, const char *value, const char *const *words,
	      const char *expected)
{
	int index = value_word(value, words);

	if (index < 0)
		conf_bad_value(reader, value, expected);
	return index;
}

void conf_yes_or_no(struct conf_reader *reader, const char *value, bool *out)
{
	static const char *const words[] = {"no", "yes", NULL};
	int index = conf_word(reader, value, words, "yes or no");

	if (index >= 0)
		*out = index == 1;
}

void *conf_grow(struct conf_reader *reader, void *array, size_t *count, size_t size)
{
	/* Doubles when it is full: a file may have thousands of tunnels. */
	bool full = (*count & (*count - 1)) == 0;
	char *grown = full ? reallocarray(array, *count ? *count * 2 : 1, size) : array;

	if (!grown) {
		reader->faults->lost = true;
		return NULL;
	}
	memset(grown + *count * size, 0, size);
	++*count;
	return grown;
}

bool conf_parse_addr(struct conf_reader *reader, const char *text, struct ip_addr *out)
{
	if (addr_parse(text, out))
		return true;
	conf_fault(reader->faults, reader->at,
		   "\"%.60s\" is not an address: write one such as 192.0.2.1 or 2001:db8::1%s",
		   text, strchr(text, '/') ? ", without a prefix length" : "");
	return false;
}

bool conf_parse_network(struct conf_reader *reader, const char *text, struct ip_prefix *out)
{
	struct ip_prefix prefix, network;
	char right[PREFIX_TEXT_SIZE];

	if (!prefix_parse(text, &prefix)) {
		conf_fault(reader->faults, reader->at,
			   "\"%.60s\" is not a prefix: write one such as 10.10.1.0/24 or "
			   "2001:db8:1::/48",
			   text);
		return false;
	}
	network = prefix_network(&prefix);
	if (!prefix_equal(&prefix, &network)) {
		conf_fault(reader->faults, reader->at,
			   "%.60s has bits behind its prefix length: write %s", text,
			   prefix_format(&network, right));
		return false;
	}
	*out = prefix;
	return true;
}

bool conf_parse_device(struct conf_reader *reader, const char *text, char out[IFNAMSIZ])
{
	const char *wrong = value_name(text, out);

	if (wrong)
		conf_fault(reader->faults, reader->at,
			   "the device name \"%.60s\" %s: write it as `ip link` shows it", text,
			   wrong);
	return !wrong;
}

void conf_key_enable(struct conf_reader *reader, char *value)
{
	bool yes = strcmp(value, "yes") == 0;

	if (yes || strcmp(value, "no") == 0)
		reader->conf->forward.enable = yes;
	else
		conf_bad_value(reader, value, "yes or no");
}

void conf_key_allow(struct conf_reader *reader, char *value)
{
	struct conf_forward *forward = &reader->conf->forward;
	struct conf_allow allow = {.at = reader->at}, *array;
	char *words[3] = {"", "", ""};
	size_t count = value_split(value, words, 3);

	allow.both = strcmp(words[1], "<->") == 0;
	if (count != 3 || (!allow.both && strcmp(words[1], "->") != 0)) {
		conf_fault(reader->faults, reader->at,
			   "the allow is not understood: write for example "
			   "allow = 10.10.1.0/24 <-> 20.10.1.0/24, or -> for one direction");
		return;
	}
	if (!conf_parse_network(reader, words[0], &allow.from) ||
	    !conf_parse_network(reader, words[2], &allow.to))
		return;
	array = conf_grow(reader, forward->allows, &forward->allow_count, sizeof *array);
	if (!array)
		return;
	forward->allows = array;
	array[forward->allow_count - 1] = allow;
}

static void add_snat(struct conf_reader *reader, const struct conf_snat *snat)
{
	struct conf_forward *forward = &reader->conf->forward;
	struct conf_snat *array =
		conf_grow(reader, forward->snats, &forward->snat_count, sizeof *array);

	if (!array)
		return;
	forward->snats = array;
	array[forward->snat_count - 1] = *snat;
}

void conf_key_masquerade(struct conf_reader *reader, char *value)
{
	struct conf_snat snat = {.at = reader->at};
	char *words[3] = {"", "", ""};
	size_t count = value_split(value, words, 3);

	if (count != 3 || strcmp(words[1], "out") != 0)
		conf_fault(reader->faults, reader->at,
			   "the masquerade is not understood: write for example "
			   "masquerade = 10.10.1.0/24 out eth1");
	else if (conf_parse_network(reader, words[0], &snat.from) &&
		 conf_parse_device(reader, words[2], snat.out))
		add_snat(reader, &snat);
}

void conf_key_snat(struct conf_reader *reader, char *value)
{
	struct conf_snat snat = {.at = reader->at};
	char *words[5] = {"", "", "", "", ""};
	size_t count = value_split(value, words, 5);

	if (count != 5 || strcmp(words[1], "out") != 0 || strcmp(words[3], "to") != 0)
		conf_fault(reader->faults, reader->at,
			   "the snat is not understood: write for example "
			   "snat = 10.10.1.0/24 out eth1 to 192.0.2.9");
	else if (conf_parse_network(reader, words[0], &snat.from) &&
		 conf_parse_device(reader, words[2], snat.out) &&
		 conf_parse_addr(reader, words[4], &snat.to))
		add_snat(reader, &snat);
}

static bool parse_port(const char *text, uint16_t *out)
{
	uint32_t port;

	if (strncmp(text, "0x", 2) == 0 || !value_u32(text, 1, 65535, &port))
		return false;
	*out = (uint16_t)port;
	return true;
}

/* "tcp/443" or "udp/8000-8010" */
static bool parse_service(char *text, struct conf_publish *out)
{
	char *slash = strchr(text, '/'), *dash = slash ? strchr(slash, '-') : NULL;

	if (!slash)
		return false;
	*slash = 0;
	if (dash)
		*dash = 0;
	if (strcmp(text, "tcp") == 0)
		out->protocol = 6;
	else if (strcmp(text, "udp") == 0)
		out->protocol = 17;
	else
		return false;
	return parse_port(slash + 1, &out->port) &&
	       parse_port(dash ? dash + 1 : slash + 1, &out->port_end) &&
	       out->port <= out->port_end;
}

/* "10.10.1.5", "10.10.1.5:8443", "2001:db8::5" or "[2001:db8::5]:443" */
static bool parse_target(char *text, struct conf_publish *out)
{
	char *colon;

	if (*text == '[') {
		char *close = strchr(text, ']');

		if (!close)
			return false;
		*close = 0;
		return addr_parse(text + 1, &out->to) && out->to.family == IP_V6 &&
		       (!close[1] || (close[1] == ':' && parse_port(close + 2, &out->to_port)));
	}
	if (addr_parse(text, &out->to))
		return true;
	colon = strrchr(text, ':');
	if (!colon)
		return false;
	*colon = 0;
	return addr_parse(text, &out->to) && out->to.family == IP_V4 &&
	       parse_port(colon + 1, &out->to_port);
}

static bool parse_publish(struct conf_reader *reader, char *value, struct conf_publish *out)
{
	char *words[5] = {"", "", "", "", ""};
	size_t count = value_split(value, words, 5);

	if (count != 5 || strcmp(words[1], "in") != 0 || strcmp(words[3], "to") != 0)
		conf_fault(reader->faults, reader->at,
			   "the publish is not understood: write for example "
			   "publish = tcp/443 in eth1 to 10.10.1.5:8443");
	else if (!parse_service(words[0], out))
		conf_fault(reader->faults, reader->at,
			   "the ports of the publish are not understood: write for example tcp/443 "
			   "or udp/8000-8010");
	else if (!parse_target(words[4], out))
		conf_fault(reader->faults, reader->at,
			   "the target of the publish is not understood: write for example "
			   "10.10.1.5:8443 or [2001:db8::5]:443");
	else
		return conf_parse_device(reader, words[2], out->in);
	return false;
}

void conf_key_publish(struct conf_reader *reader, char *value)
{
	struct conf_forward *forward = &reader->conf->forward;
	struct conf_publish publish = {.at = reader->at}, *array;

	if (!parse_publish(reader, value, &publish))
		return;
	array = conf_grow(reader, forward->publishes, &forward->publish_count, sizeof *array);
	if (!array)
		return;
	forward->publishes = array;
	array[forward->publish_count - 1] = publish;
}

void conf_key_workers(struct conf_reader *reader, char *value)
{
	uint32_t workers = 0;

	if (strcmp(value, "auto") == 0 || value_u32(value, 1, WORKERS_MAX, &workers))
		reader->conf->workers = workers;
	else
		conf_bad_value(reader, value, "auto, or a number from 1 to 256");
}

void conf_key_flows(struct conf_reader *reader, char *value)
{
	uint32_t flows;

	if (value_u32(value, FLOWS_MIN, FLOWS_MAX, &flows))
		reader->conf->flows = flows;
	else
		conf_bad_value(reader, value, "a number from 1024 to 16777216");
}

const char *const conf_spreads[] = {
	[SPREAD_AUTO] = "auto", [SPREAD_YES] = "yes", [SPREAD_NO] = "no", NULL};

void conf_key_spread(struct conf_reader *reader, char *value)
{
	int index = conf_word(reader, value, conf_spreads, "auto, yes or no");

	if (index >= 0)
		reader->conf->spread = (enum conf_spread)index;
}
