/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.h: what the main thread has a worker do with its share of a tunnel. All but port_new() are
 * jobs of worker_run(). */
#ifndef DP_PORT_H
#define DP_PORT_H

#include "dp/tunnel.h"
#include "os/tun.h"

/* Attaches a queue of the device for this worker, unless it is the device of a hub. The port shares
 * `seq_next` and `lease` with those of the other workers. NULL with *err. */
struct port *port_new(struct worker *worker, const struct dp_params *params, uint32_t *seq_next,
		      const struct lease *lease, int *err);

/* What stands before a packet that is written to the port's interface: of the TUN device, and an
 * Ethernet header where peers share a TAP. */
struct port_header {
	struct tun_frame_header tun;
	uint8_t ethernet[14];
};
/* Fills it in for a passenger of that GRE protocol type; returns its octets. Offsets in `vnet`
 * count from the passenger's first. */
size_t port_put_header(const struct port *port, uint16_t protocol,
		       const struct virtio_net_hdr *vnet, struct port_header *out);

struct port_job {
	struct port *port;
	const struct dp_params *params;
};

/* Of a port that is in no worker's hands. */
void port_free(struct port *port);

/* Begins to carry packets; on failure the port is gone. arg: struct port_job. */
int port_add(struct worker *worker, void *arg);
/* Takes new parameters. arg: struct port_job. */
int port_change(struct worker *worker, void *arg);
/* Detaches the queue and frees the port. arg: struct port. */
int port_remove(struct worker *worker, void *arg);
/* Whether the device of arrival is asked for with each packet. arg: bool. */
int port_want_device(struct worker *worker, void *arg);

#endif
