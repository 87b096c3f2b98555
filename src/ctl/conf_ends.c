/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ends of a tunnel: addresses, or where they are to be had. */
#include "ctl/conf_parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_value.h"
#include "proto/roam.h"

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
	if (strcmp(value, "any") == 0) {
		tunnel->remote_any = true;
		return;
	}
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

/* Two hexadecimal digits; false when they are none. */
static bool read_octet(const char *text, uint8_t *out)
{
	static const char digits[] = "0123456789abcdef";
	const char *high = strchr(digits, tolower((unsigned char)text[0]));
	const char *low = strchr(digits, tolower((unsigned char)text[1]));

	if (!high || !low)
		return false;
	*out = (uint8_t)((high - digits) << 4 | (low - digits));
	return true;
}

/* The fault does not show the value, since messages end up in logs. */
void conf_key_nat_secret(struct conf_reader *reader, char *value)
{
	struct conf_tunnel *tunnel = reader->tunnel;
	uint8_t octets[ROAM_SECRET_LENGTH];
	bool good = strlen(value) == 2 * sizeof octets;

	for (size_t i = 0; good && i < sizeof octets; i++)
		good = read_octet(value + 2 * i, &octets[i]);
	if (!good) {
		conf_fault(
			reader->faults, reader->at,
			"nat-secret is not 32 hexadecimal digits: write what \"openssl rand -hex "
			"16\" prints, the same at both ends");
		return;
	}
	tunnel->nat = true;
	tunnel->nat_secret =
		(struct siphash_key){siphash_load(octets, 8), siphash_load(octets + 8, 8)};
}

void conf_print_nat_secret(const struct conf_tunnel *tunnel, FILE *out)
{
	const uint64_t words[] = {tunnel->nat_secret.k0, tunnel->nat_secret.k1};

	fprintf(out, "nat-secret = ");
	for (unsigned i = 0; i < ROAM_SECRET_LENGTH; i++)
		fprintf(out, "%02x", (unsigned)(words[i / 8] >> (8 * (i % 8))) & 0xffu);
	fputc('\n', out);
}

bool conf_is_moving(const struct conf_tunnel *tunnel)
{
	return !tunnel->peer_count &&
	       (tunnel->remote_name || tunnel->remote_any || tunnel->local_device[0]);
}

const char *conf_remote_word(const struct conf_tunnel *tunnel)
{
	return tunnel->remote_any ? "remote = any" : tunnel->remote_name;
}

bool conf_has_ends(const struct conf_tunnel *tunnel)
{
	return tunnel->local.family != IP_NONE && tunnel->remote.family != IP_NONE;
}
