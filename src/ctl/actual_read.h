/* SPDX-License-Identifier: GPL-2.0-or-later */
/* actual_read.h: the parts of actual_read() that are in files of their own. */
#ifndef CTL_ACTUAL_READ_H
#define CTL_ACTUAL_READ_H

#include "ctl/actual.h"

/* Looks up the way to each peer; links and all of the host's addresses have been read. */
int actual_read_ways(struct nl *nl, const struct conf *conf, struct actual *actual);

/* What the ways would be without us; the ways have been read. */
int actual_read_beneath(struct nl *nl, struct actual *actual);

/* Reads the settings of our links; links and lane have been read. */
int actual_read_settings(struct nl *nl, struct actual *actual);

/* Reads the switches, and what lies around one that is to be turned on. */
int actual_read_forward(struct nl *nl, const struct conf *conf, struct actual *actual);

#endif
