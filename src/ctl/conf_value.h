/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf_value.h: the text forms that several keys share. Pure. */
#ifndef CTL_CONF_VALUE_H
#define CTL_CONF_VALUE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal without leading zeros, or 0x and hexadecimal digits, within min..max. */
bool value_u32(const char *text, uint32_t min, uint32_t max, uint32_t *out);
/* The index of `text` in a NULL-terminated list, or -1. */
int value_word(const char *text, const char *const *words);
/* "10s", "100ms" or a bare number of seconds; in milliseconds. */
bool value_duration(const char *text, uint32_t *ms);
/* Cuts `text` into words at spaces and tabs, in place. Returns how many there are; only the first
 * `max` are stored. */
size_t value_split(char *text, char **words, size_t max);
/* An interface name of letters, digits and _ - . @ +. Returns NULL and fills `out`, or says what
 * is wrong with it, to be read after the name: "is longer than 15 characters". */
const char *value_name(const char *text, char out[IFNAMSIZ]);
/* How many letters must be added, removed, changed or swapped with their neighbour to turn one
 * text into the other, case aside; at least 100 when a text is longer than a key can be. */
unsigned value_distance(const char *a, const char *b);

#endif
