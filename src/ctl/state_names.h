/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state_names.h: the names and learned peers in state.json, for state.c. */
#ifndef CTL_STATE_NAMES_H
#define CTL_STATE_NAMES_H

#include <jansson.h>

#include "ctl/state.h"

/* 0, -EBADMSG or -ENOMEM. */
int state_names_read(json_t *array, struct state *out);
json_t *state_names_make(const struct state *state);
void state_names_free(struct state *state);

/* state_peers.c: the same. */
int state_peers_read(json_t *array, struct state *out);
json_t *state_peers_make(const struct state *state);
void state_peers_free(struct state *state);

#endif
