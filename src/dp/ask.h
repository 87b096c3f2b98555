/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ask.h: small packets that are nobody's passengers, of many tunnels, in one call to the kernel: by
 * its whole output path, never by a lease (lease.h), since they are to find out whether that path
 * works.
 */
#ifndef DP_ASK_H
#define DP_ASK_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "os/rawsock.h"

/* Octets of the longest: a returned echo reply with all its headers in front. */
#define ASK_ROOM  128
#define ASK_MAX	  1536
#define ASK_BATCH 64

struct port;

struct asker {
	unsigned count;
	uint8_t family; /* of the outer addresses of all that is queued */
	struct mmsghdr messages[ASK_BATCH];
	struct iovec pieces[ASK_BATCH];
	struct port *ports[ASK_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[ASK_BATCH][RAW_CONTROL_SIZE];
	uint8_t octets[ASK_BATCH][ASK_ROOM + ASK_MAX];
};

/* Where the next packet of the port may be written: ASK_MAX octets, ASK_ROOM in front. */
uint8_t *ask_slot(struct asker *asker, struct port *port);
/* Queues the outer packet of `len` octets at p, which lies in the slot. */
void ask_add(struct asker *asker, uint8_t *p, uint32_t len);
/* The same for a passenger, an IP packet, that the tunnel's headers go in front of. */
void ask_add_passenger(struct asker *asker, uint8_t *p, uint32_t len);
/* Sends what is queued; what the kernel refuses counts as a drop of its tunnel. */
void ask_flush(struct asker *asker);

#endif
