/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many octets are written anew: those of a shortest frame, or of one with GRE in front of its
 * IP header. */
#ifndef BENCH_PROGRUN_H
#define BENCH_PROGRUN_H

enum { PROGRUN_SHORT = 60, PROGRUN_LONG = 84, PROGRUN_MAX = 1514 };
/* Octets of the headers of IPv4 and GRE, and the words that they and the link's cover. */
enum { PROGRUN_OUTER = 24, PROGRUN_WORDS = 5 };

/* As large as the key of a flow of IPv4. */
struct progrun_key {
	unsigned words[4];
};
#define PROGRUN_KEY                \
	{                          \
		{                  \
			1, 2, 3, 4 \
		}                  \
	}

#endif
