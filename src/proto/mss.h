/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mss.h: lowers the MSS option of TCP SYN and SYN-ACK to what the tunnel carries unfragmented. */
#ifndef PROTO_MSS_H
#define PROTO_MSS_H

#include "proto/bytes.h"
#include "proto/csum_inc.h"
#include "proto/ip.h"

enum {
	TCP_HEADER_LENGTH = 20,
	TCP_FLAG_SYN = 0x02,
	TCP_OPTIONS_MAX = 40,
	TCP_OPTION_END = 0,
	TCP_OPTION_NOP = 1,
	TCP_OPTION_MSS = 2,
	TCP_MSS_LENGTH = 4,
};

/*
 * Offset of the MSS option in the TCP header at `tcp` of header_len octets, 0 if there is none or
 * an option before it is malformed. Goes over every octet and skips those inside other options: a
 * position that is a constant in each turn keeps the verifier's states few.
 */
PROTO_INLINE unsigned mss_find(const uint8_t *tcp, const uint8_t *end, unsigned header_len)
{
	unsigned skip = 0;

	for (unsigned at = TCP_HEADER_LENGTH; at < TCP_HEADER_LENGTH + TCP_OPTIONS_MAX; at++) {
		const uint8_t *option = tcp + at;

		if (at >= header_len || option + 1 > end)
			return 0;
		if (skip > 0) {
			skip--;
			continue;
		}
		if (option[0] == TCP_OPTION_NOP)
			continue;
		if (option[0] == TCP_OPTION_END || at + 2 > header_len || option + 2 > end)
			return 0;
		if (option[1] < 2 || at + option[1] > header_len)
			return 0;
		if (option[0] == TCP_OPTION_MSS)
			return option[1] == TCP_MSS_LENGTH ? at : 0;
		skip = option[1] - 1u;
	}
	return 0;
}

/* Lowers the MSS of the TCP header at `tcp`. With `pending` its checksum covers only the
 * pseudo-header so far and is left alone. True when the value was changed. */
PROTO_INLINE bool mss_clamp_tcp(uint8_t *tcp, const uint8_t *end, unsigned available, uint16_t mss,
				bool pending)
{
	unsigned header_len, at;
	uint16_t from, to = mss;
	uint8_t *value;

	if (tcp + TCP_HEADER_LENGTH > end || !(tcp[13] & TCP_FLAG_SYN))
		return false;
	header_len = (unsigned)(tcp[12] >> 4) * 4;
	if (header_len > available)
		return false;
	at = mss_find(tcp, end, header_len);
	if (at == 0 || at > TCP_HEADER_LENGTH + TCP_OPTIONS_MAX)
		return false;
	value = tcp + at + 2;
	if (value + 2 > end)
		return false;
	from = get_be16(value);
	if (from <= to)
		return false;
	put_be16(value, to);
	if (pending)
		return true;
	if (at & 1) { /* the value lies across two words of the sum */
		from = (uint16_t)(from >> 8 | from << 8);
		to = (uint16_t)(to >> 8 | to << 8);
	}
	put_be16(tcp + 16, csum_update16(get_be16(tcp + 16), from, to));
	return true;
}

/* mss_clamp() of a packet whose TCP checksum is perhaps still to be completed by the kernel or the
 * device (VIRTIO_NET_HDR_F_NEEDS_CSUM): `pending` true leaves the checksum field alone. */
PROTO_INLINE bool mss_clamp_pending(uint8_t *p, const uint8_t *end, uint16_t mss4, uint16_t mss6,
				    bool pending)
{
	struct ip_info ip;
	uint16_t mss;

	if (!ip_decode(p, end, &ip) || !ip.has_transport || ip.protocol != IP_PROTOCOL_TCP)
		return false;
	mss = ip.version == 4 ? mss4 : mss6;
	if (mss == 0 || ip.header_len > IP_HEADERS_MAX)
		return false;
	return mss_clamp_tcp(p + ip.header_len, end, ip.total_len - ip.header_len, mss, pending);
}

/*
 * When the IPv4 or IPv6 packet at p is the beginning of a TCP segment with SYN: lowers its MSS
 * option to mss4 or mss6 (0: that family is left alone) and keeps the TCP checksum right (RFC
 * 1624). Never raises, never adds the option, leaves malformed options and later fragments alone.
 * True when the packet was changed.
 */
PROTO_INLINE bool mss_clamp(uint8_t *p, const uint8_t *end, uint16_t mss4, uint16_t mss6)
{
	return mss_clamp_pending(p, end, mss4, mss6, false);
}

#endif
