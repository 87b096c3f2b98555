/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jtext.h: text of unknown encoding (the configuration's, the kernel's) as JSON, which takes UTF-8
 * only: other octets become question marks. */
#ifndef CTL_JTEXT_H
#define CTL_JTEXT_H

#include <jansson.h>

json_t *jtext(const char *text, size_t len);
/* An array of the lines of `text`. */
json_t *jtext_lines(const char *text);

#endif
