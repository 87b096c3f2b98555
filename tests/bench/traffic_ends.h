/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The programs in the kernel: loaded, attached to both ends, and the thread that runs one of them.
 */
#ifndef BENCH_TRAFFIC_ENDS_H
#define BENCH_TRAFFIC_ENDS_H

#include <pthread.h>

#include "traffic_args.h"

#include "traffic.skel.h" /* after the types that it uses */

struct ends {
	const struct options *options;
	struct traffic_bpf *skel;
	pthread_t generator;
	int error; /* of the generator */
	bool ended;
};

void ends_open(struct ends *ends, const struct options *o);
/* From now on packets are offered, at that rate (0: as fast as it goes) and no more than so many.
 */
void ends_offer(struct ends *ends, unsigned rate, uint64_t many);
void ends_pause(struct ends *ends);
void ends_close(struct ends *ends);

/* What the generator's thread has had of its core, softirqs included that ran in it. */
uint64_t ends_cpu_ns(const struct ends *ends);
uint64_t clock_ns(void);
void sleep_ms(unsigned ms);

#endif
