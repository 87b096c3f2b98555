/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ends of a tunnel: addresses, or where they are to be had. */
#include "ctl/conf_parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_value.h"

#define NAME_MAX_OCTETS	 253 /* RFC 1035 2.3.4, as text */
#define LABEL_MAX_OCTETS 63

static bool is_label(const char *label, size_t len, bool *digits)
{
	*digits = true;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)label[i]) && label[i] != '-' && label[i] != '_')
			return false;
		*digits &= isdigit((unsigned char)label[i]) != 0;
	}
	return len > 0 && len <= LABEL_MAX_OCTETS && label[0] != '-' && label[len - 1] != '-';
}

/* A host name, with a dot at its end or without. One whose last part is a number is an address that
 * was mistyped (RFC 3696 2). */
static bool is_host_name(const char *text)
{
	bool digits = true;

	if (strlen(text) > NAME_MAX_OCTETS)
		return false;
	do {
		size_t len = strcspn(text, ".");

		if (!is_label(text, len, &digits))
			return false;
		text += len;
	} while (*text++ == '.' && *text);
	return !digits;
}

void conf_key_local(struct conf_reader *reader, char *value)
{
	struct conf_tunnel *tunnel = reader->tunnel;
	char *words[2] = {"", ""};
	size_t count = value_split(value, words, 2);

	if (strcmp(words[0], "address-of") != 0 && count < 2)
		conf_parse_addr(reader, words[0], &tunnel->local);
	else if (strcmp(words[0], "address-of") == 0 && count == 2)
		conf_parse_device(reader, words[1], tunnel->local_device);
	else
		conf_fault(reader->faults, reader->at,
			   "local is not understood: write an address, or address-of and a device, "
			   "for example local = address-of eth0");
}

void conf_key_remote(struct conf_reader *reader, char *value)
{
	struct conf_tunnel *tunnel = reader->tunnel;

	if (addr_parse(value, &tunnel->remote))
		return;
	if (!is_host_name(value)) {
		conf_fault(reader->faults, reader->at,
			   "\"%.60s\" is no address and no name: write one such as 192.0.2.1, "
			   "2001:db8::1 or peer.example.org",
			   value);
		return;
	}
	free(tunnel->remote_name);
	tunnel->remote_name = strdup(value);
	if (!tunnel->remote_name)
		reader->faults->lost = true;
}

bool conf_is_moving(const struct conf_tunnel *tunnel)
{
	return !tunnel->peer_count && (tunnel->remote_name || tunnel->local_device[0]);
}

bool conf_has_ends(const struct conf_tunnel *tunnel)
{
	return tunnel->local.family != IP_NONE && tunnel->remote.family != IP_NONE;
}
