/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * erspan.h: copies of Ethernet frames on their way to a collector (draft-foschiano-erspan). Type I
 * is GRE without sequence number and nothing behind it. Types II and III number their packets and
 * have a header between GRE and the copy:
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  |  Ver  |         VLAN          | COS |En |T|    session ID     |  both; En is BSO in III
 *  |       reserved        |                 index                 |  II
 *  |                           timestamp                           |  III
 *  |     security group tag        |P|   FT    |   Hw ID   |D|Gra|O|  III
 *  |         platform's own, 8 octets if O is set                  |  III
 */
#ifndef PROTO_ERSPAN_H
#define PROTO_ERSPAN_H

#include "proto/ethernet.h"
#include "proto/form.h"
#include "proto/gre.h"

enum {
	ERSPAN_SESSION_MAX = 0x3ff,
	ERSPAN_INDEX_MAX = 0xfffff,
	ERSPAN_HARDWARE_MAX = 0x3f,
	ERSPAN2_LENGTH = 8,
	ERSPAN3_LENGTH = 12,
	ERSPAN_PLATFORM_LENGTH = 8,
};

/* The field Ver is one less than the type. */
enum { ERSPAN2_VERSION = 1, ERSPAN3_VERSION = 2 };

/* En, of type II: whether the copied frame had an 802.1Q tag, and that it still has it. */
enum { ERSPAN_UNTAGGED = 0, ERSPAN_TAGGED = 3 };

/* FT, of type III: what is copied. */
enum { ERSPAN_FRAME_ETHERNET = 0, ERSPAN_FRAME_IP = 2 };

/* Of a unit of the timestamp: Gra. 100 microseconds is the one that needs no other clock. */
enum { ERSPAN_GRANULARITY_100US = 0 };

/* A header as values in host order. Fields that the type does not have are 0. */
struct erspan_header {
	uint16_t session;   /* 10 bits */
	uint16_t vlan;	    /* 12 bits: of the copied frame's tag; 0: it had none */
	uint8_t cos;	    /* 3 bits: likewise its priority */
	uint8_t tag;	    /* 2 bits: En in type II; BSO, what was wrong with the frame, in III */
	bool truncated;	    /* the copy is shorter than the frame was */
	uint32_t index;	    /* II, 20 bits: the port of the switch and the direction */
	uint32_t timestamp; /* III: in units of `granularity` */
	uint16_t group;	    /* III: security group tag */
	uint8_t frame_type; /* III, 5 bits */
	uint8_t hardware;   /* III, 6 bits: which engine of the switch has made the copy */
	bool pdu;	    /* III: the copy is a whole Ethernet frame */
	bool egress;	    /* III: copied when it left; else when it came in */
	uint8_t granularity;
	uint8_t length; /* octets; set by erspan_decode(), not read by erspan_encode() */
};

/* Octets between the GRE header and the copy that we write in this form; 0 in other forms. */
PROTO_INLINE uint8_t erspan_length(uint8_t form)
{
	if (form == FORM_ERSPAN2)
		return ERSPAN2_LENGTH;
	return form == FORM_ERSPAN3 ? ERSPAN3_LENGTH : 0;
}

/* The form that a received GRE header says; FORM_IP when it is none of ERSPAN. Types I and II have
 * one protocol type, and only II has sequence numbers. */
PROTO_INLINE uint8_t erspan_form(const struct gre_header *gre)
{
	if (gre->protocol == GRE_PROTOCOL_ERSPAN3)
		return FORM_ERSPAN3;
	if (gre->protocol != GRE_PROTOCOL_ERSPAN)
		return FORM_IP;
	return gre->has_sequence ? FORM_ERSPAN2 : FORM_ERSPAN1;
}

/* The protocol type of a form of ERSPAN. */
PROTO_INLINE uint16_t erspan_protocol(uint8_t form)
{
	return form == FORM_ERSPAN3 ? GRE_PROTOCOL_ERSPAN3 : GRE_PROTOCOL_ERSPAN;
}

/* The session that a packet belongs to, whatever else may be wrong with it; `p` is behind the GRE
 * header. 0 for type I, which has none, and for what is too short to tell. */
PROTO_INLINE uint16_t erspan_session(uint8_t form, const uint8_t *p, const uint8_t *end)
{
	if (form == FORM_ERSPAN1 || p + 4 > end)
		return 0;
	return get_be16(p + 2) & ERSPAN_SESSION_MAX;
}

PROTO_INLINE void erspan3_read(const uint8_t *p, struct erspan_header *h)
{
	uint16_t last = get_be16(p + 10);

	h->timestamp = get_be32(p + 4);
	h->group = get_be16(p + 8);
	h->pdu = last & 0x8000;
	h->frame_type = last >> 10 & 0x1f;
	h->hardware = last >> 4 & 0x3f;
	h->egress = last & 0x0008;
	h->granularity = last >> 1 & 0x03;
	h->length = ERSPAN3_LENGTH + (last & 1 ? ERSPAN_PLATFORM_LENGTH : 0);
}

/*
 * Reads what stands at p, behind a GRE header of this form. DROP_NONE: *out is complete and the
 * copy begins at p + out->length, which is at most `end`. DROP_RX_ERSPAN: it is cut short, of
 * another version, or says that what follows is no Ethernet frame; *out is untouched. What the
 * other fields say is not judged.
 */
PROTO_INLINE enum drop_reason erspan_decode(uint8_t form, const uint8_t *p, const uint8_t *end,
					    struct erspan_header *out)
{
	struct erspan_header h = {.length = ERSPAN2_LENGTH};
	uint16_t first, second;

	if (form == FORM_ERSPAN1) {
		h.length = 0;
		*out = h;
		return DROP_NONE;
	}
	if (p + ERSPAN2_LENGTH > end)
		return DROP_RX_ERSPAN;
	first = get_be16(p);
	second = get_be16(p + 2);
	if (first >> 12 != (form == FORM_ERSPAN2 ? ERSPAN2_VERSION : ERSPAN3_VERSION))
		return DROP_RX_ERSPAN;
	h.vlan = first & 0x0fff;
	h.cos = (uint8_t)(second >> 13);
	h.tag = second >> 11 & 0x03;
	h.truncated = second & 0x0400;
	h.session = second & ERSPAN_SESSION_MAX;
	if (form == FORM_ERSPAN2) {
		h.index = get_be32(p + 4) & ERSPAN_INDEX_MAX;
	} else {
		if (p + ERSPAN3_LENGTH > end)
			return DROP_RX_ERSPAN;
		erspan3_read(p, &h);
		if (h.frame_type != ERSPAN_FRAME_ETHERNET)
			return DROP_RX_ERSPAN;
	}
	if (p + h.length > end)
		return DROP_RX_ERSPAN;
	*out = h;
	return DROP_NONE;
}

/* Writes the header to p, which has room for erspan_length(form) octets, and returns that length.
 * Values that exceed their fields must not be given. No platform's own header is written. */
PROTO_INLINE uint8_t erspan_encode(uint8_t form, uint8_t *p, const struct erspan_header *h)
{
	uint16_t version = form == FORM_ERSPAN2 ? ERSPAN2_VERSION : ERSPAN3_VERSION;

	if (erspan_length(form) == 0)
		return 0;
	put_be16(p, (uint16_t)(version << 12 | h->vlan));
	put_be16(p + 2, (uint16_t)(h->cos << 13 | h->tag << 11 | (h->truncated ? 0x0400 : 0) |
				   h->session));
	if (form == FORM_ERSPAN2) {
		put_be32(p + 4, h->index);
		return ERSPAN2_LENGTH;
	}
	put_be32(p + 4, h->timestamp);
	put_be16(p + 8, h->group);
	put_be16(p + 10, (uint16_t)((h->pdu ? 0x8000 : 0) | h->frame_type << 10 | h->hardware << 4 |
				    (h->egress ? 0x0008 : 0) | h->granularity << 1));
	return ERSPAN3_LENGTH;
}

/* Fills in what the copied frame says of itself, whose tag, if it has one, stays in the copy. */
PROTO_INLINE void erspan_describe(uint8_t form, const uint8_t *frame, const uint8_t *end,
				  struct erspan_header *h)
{
	uint16_t control;

	if (frame + ETHERNET_HEADER_LENGTH + VLAN_TAG_LENGTH > end ||
	    get_be16(frame + 12) != ETHERTYPE_VLAN)
		return;
	control = get_be16(frame + 14);
	h->vlan = control & 0x0fff;
	h->cos = (uint8_t)(control >> 13);
	if (form == FORM_ERSPAN2)
		h->tag = ERSPAN_TAGGED;
}

#endif
