/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf_same.h: whether two configurations mean the same, wherever their lines are. */
#ifndef UNIT_CONF_SAME_H
#define UNIT_CONF_SAME_H

#include "ctl/conf.h"

bool conf_same(const struct conf *a, const struct conf *b);

#endif
