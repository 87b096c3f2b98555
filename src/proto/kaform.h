/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kaform.h: the forms in which routers ask each other whether they are there; kapkt.h has them
 * octet by octet. */
#ifndef PROTO_KAFORM_H
#define PROTO_KAFORM_H

enum keepalive_form {
	KEEPALIVE_AUTO,	     /* OPENBSD where the peer answers it, else CISCO */
	KEEPALIVE_CISCO,     /* a GRE packet to ourselves, protocol type 0, no body */
	KEEPALIVE_CISCO_CMD, /* with Cisco's metadata in front of it */
	KEEPALIVE_HUAWEI,    /* under protocol type 0x0004 */
	KEEPALIVE_INSIDE,    /* between the inner addresses; answered through the tunnel */
	KEEPALIVE_OPENBSD,   /* with a body that only we can have written */
	KEEPALIVE_MIKROTIK,  /* CISCO, but over IPv6 with protocol type 0x86dd inside */
};

#endif
