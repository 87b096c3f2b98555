/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/spread.h"

/* Percent of a CPU, and seconds. */
enum { FULL = 90, ROOM = 50, FITS = 60, ON_AFTER = 3, OFF_AFTER = 60 };

/* Some of the counters may go back a little. */
static uint64_t since(uint64_t before, uint64_t now)
{
	return now > before ? now - before : 0;
}

struct load {
	unsigned cpus;	   /* that did something, were it nothing */
	bool full, room;   /* some CPU is, or has */
	uint64_t together; /* percent of one CPU that all spent in the kernel */
};

static struct load load(const struct proc_cpu *before, const struct proc_cpu *now, unsigned count)
{
	struct load out = {.cpus = 0};

	for (unsigned i = 0; i < count; i++) {
		uint64_t total = since(before[i].total, now[i].total);
		uint64_t idle = since(before[i].idle, now[i].idle);
		uint64_t softirq = since(before[i].softirq, now[i].softirq);
		uint64_t system = since(before[i].system, now[i].system);

		if (!total)
			continue; /* it is switched off */
		out.cpus++;
		out.full |= softirq * 100 >= FULL * total;
		out.room |= (total - (idle < total ? idle : total)) * 100 <= ROOM * total;
		out.together += (softirq + system) * 100 / total;
	}
	return out;
}

bool spread_judge(struct spread_judge *judge, const struct proc_cpu *before,
		  const struct proc_cpu *now, unsigned count)
{
	struct load seen = load(before, now, count);
	bool other = judge->on ? seen.together <= FITS : seen.full && seen.room;

	if (seen.cpus < 2) {
		*judge = (struct spread_judge){.on = false};
		return false;
	}
	judge->seconds = other ? judge->seconds + 1 : 0;
	if (judge->seconds >= (judge->on ? OFF_AFTER : ON_AFTER))
		*judge = (struct spread_judge){.on = !judge->on};
	return judge->on;
}
