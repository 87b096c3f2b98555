/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.h: what the main thread has a worker do with its share of a tunnel. All but port_new() are
 * jobs of worker_run(). */
#ifndef DP_PORT_H
#define DP_PORT_H

#include "dp/tunnel.h"

/* Attaches a queue of the device for this worker. The port shares `seq_next` and `lease` with those
 * of the other workers. NULL with *err. */
struct port *port_new(struct worker *worker, const struct dp_params *params, uint32_t *seq_next,
		      const struct lease *lease, int *err);

struct port_job {
	struct port *port;
	const struct dp_params *params;
};

/* Begins to carry packets; on failure the port is gone. arg: struct port_job. */
int port_add(struct worker *worker, void *arg);
/* Takes new parameters. arg: struct port_job. */
int port_change(struct worker *worker, void *arg);
/* Detaches the queue and frees the port. arg: struct port. */
int port_remove(struct worker *worker, void *arg);
/* Whether the device of arrival is asked for with each packet. arg: bool. */
int port_want_device(struct worker *worker, void *arg);

#endif
