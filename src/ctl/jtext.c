/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/jtext.h"

#include <stdlib.h>
#include <string.h>

json_t *jtext(const char *text, size_t len)
{
	json_t *string = json_stringn(text, len);
	if (string)
		return string;
	char *ascii = strndup(text, len);
	for (char *p = ascii; p && *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	string = ascii ? json_string(ascii) : NULL;
	free(ascii);
	return string;
}

json_t *jtext_lines(const char *text)
{
	json_t *array = json_array();
	while (*text) {
		size_t len = strcspn(text, "\n");
		json_array_append_new(array, jtext(text, len));
		text += len + (text[len] == '\n');
	}
	return array;
}
