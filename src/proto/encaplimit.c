/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/encaplimit.h"

#include "proto/ip.h"

enum { OPTION_PAD1 = 0, OPTION_LIMIT = 4 };

/* Among the options [p, end) of one header. NULL: it is not there. */
static const uint8_t *find_option(const uint8_t *p, const uint8_t *end)
{
	while (p < end) {
		if (*p == OPTION_PAD1) {
			p++;
			continue;
		}
		if (end - p < 2 || end - p < 2 + p[1])
			return NULL;
		if (p[0] == OPTION_LIMIT && p[1] == 1)
			return p + 2;
		p += 2 + p[1];
	}
	return NULL;
}

bool encaplimit_find(const uint8_t *p, const uint8_t *end, uint32_t *at)
{
	const uint8_t *header = p + IP6_HEADER_LENGTH, *found;
	uint8_t protocol;

	if (end - p < IP6_HEADER_LENGTH || p[0] >> 4 != 6)
		return false;
	protocol = p[6];
	for (unsigned i = 0; i < IP6_EXTENSIONS_MAX; i++) {
		unsigned length;

		if ((protocol != IP_PROTOCOL_HOP_BY_HOP && protocol != IP_PROTOCOL_ROUTING &&
		     protocol != IP_PROTOCOL_DESTINATION) ||
		    end - header < 8)
			return false;
		length = ip6_extension_length(protocol, header[1]);
		if ((unsigned)(end - header) < length)
			return false;
		found = protocol == IP_PROTOCOL_DESTINATION
				? find_option(header + 2, header + length)
				: NULL;
		if (found) {
			*at = (uint32_t)(found - p);
			return true;
		}
		protocol = header[0];
		header += length;
	}
	return false;
}
