/* SPDX-License-Identifier: GPL-2.0-or-later */
/* input.h: the frames that the far ends send to a router: outer packets by the wire, packets to be
 * encapsulated from the LAN. The same seed and number make the same frames. */
#ifndef LANES_INPUT_H
#define LANES_INPUT_H

#include "passenger.h"

enum { FRAMES_MAX = 4, TUNNELS_MAX = 16, ETHERNET = 14 };

/* What the sender has to know of a tunnel of the router. Tunnel n leads to 172.19.1.<2 + n> or
 * 2001:db8:19::<2 + n>. */
struct far_end {
	uint8_t outer; /* IP version */
	bool has_key;
	bool has_checksum;
	bool ethernet;	 /* passengers are frames */
	bool translated; /* see struct place */
	uint32_t key;
};

struct input {
	enum side side;
	uint32_t number;
	unsigned count;
	struct octets frames[FRAMES_MAX];
};

/* `odd` of a thousand are no regular ones of a flow. */
void input_make(struct input *in, uint64_t seed, uint32_t number, const struct far_end *tunnels,
		unsigned count, unsigned odd);

#endif
