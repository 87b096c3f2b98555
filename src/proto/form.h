/* SPDX-License-Identifier: GPL-2.0-or-later */
/* form.h: what a tunnel's GRE headers look like and what stands behind them. */
#ifndef PROTO_FORM_H
#define PROTO_FORM_H

#include "proto/bytes.h"

enum gre_form {
	FORM_IP,       /* IP packets, or whatever the protocol type says */
	FORM_ETHERNET, /* Ethernet frames (gretap) */
	FORM_NVGRE,    /* Ethernet frames of a virtual subnet: nvgre.h */
	FORM_ERSPAN1,  /* copies of Ethernet frames, types I to III: erspan.h */
	FORM_ERSPAN2,
	FORM_ERSPAN3,
};

PROTO_INLINE bool form_is_ethernet(uint8_t form)
{
	return form != FORM_IP;
}

PROTO_INLINE bool form_is_erspan(uint8_t form)
{
	return form >= FORM_ERSPAN1;
}

/* Whether the GRE header is what RFC 2784 and 2890 alone say, with a key that is one number. */
PROTO_INLINE bool form_is_plain(uint8_t form)
{
	return form <= FORM_ETHERNET;
}

#endif
