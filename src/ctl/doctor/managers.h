/* SPDX-License-Identifier: GPL-2.0-or-later */
/* managers.h: what else on this host looks after interfaces, told by its files. `root` is "" or, in
 * tests, the folder that stands for /. */
#ifndef CTL_DOCTOR_MANAGERS_H
#define CTL_DOCTOR_MANAGERS_H

#include <stdbool.h>

/* systemd-networkd runs, and takes away routes, or rules, that are not its own: both by default,
 * unless ManageForeignRoutes= and ManageForeignRoutingPolicyRules= say no. */
bool networkd_takes_routes(const char *root);
bool networkd_takes_rules(const char *root);

/* systemd started this host, and starts greteld with it. */
bool systemd_runs(const char *root);
bool systemd_starts_us(const char *root);

#endif
