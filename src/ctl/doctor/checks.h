/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * checks.h: all checks, in the order in which they are made. What is below breaks what is above, so
 * of two findings of the same weight the earlier is the cause. A row needs a function
 * check_IDENTIFIER() in a file check_*.c and a row in docs/doctor.md, which a test compares.
 */
#ifndef CTL_DOCTOR_CHECKS_H
#define CTL_DOCTOR_CHECKS_H

/* X(identifier, name shown, layer, flags, what it finds) */
#define DOCTOR_CHECKS(X)                                            \
	X(daemon, "daemon", SITE, CHECK_PLAIN,                      \
	  "no daemon answers, or it does not serve this namespace") \
	X(local_address, "local-address", UNDERLAY, CHECK_PLAIN,    \
	  "the local address is not on this host")                  \
	X(no_route, "no-route", UNDERLAY, CHECK_PLAIN, "no route leads to the peer")

struct doctor;
#define DOCTOR_CHECK_DECLARE(id, name, layer, flags, finds) void check_##id(struct doctor *doctor);
DOCTOR_CHECKS(DOCTOR_CHECK_DECLARE)
#undef DOCTOR_CHECK_DECLARE

#endif
