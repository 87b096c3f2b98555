/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/conf_value.h"

#include <ctype.h>
#include <string.h>

static int digit_of(char c, unsigned base)
{
	int digit = -1;

	if (c >= '0' && c <= '9')
		digit = c - '0';
	else if (tolower((unsigned char)c) >= 'a' && tolower((unsigned char)c) <= 'f')
		digit = tolower((unsigned char)c) - 'a' + 10;
	return digit < (int)base ? digit : -1;
}

bool value_u32(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned base = hex ? 16 : 10;
	uint64_t value = 0;

	if (hex)
		text += 2;
	/* 010 is eight to some and ten to others */
	else if (text[0] == '0' && text[1])
		return false;
	if (!*text)
		return false;
	for (; *text; text++) {
		int digit = digit_of(*text, base);

		if (digit < 0)
			return false;
		value = value * base + (unsigned)digit;
		if (value > max)
			return false;
	}
	if (value < min)
		return false;
	*out = (uint32_t)value;
	return true;
}

int value_word(const char *text, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(text, words[i]) == 0)
			return i;
	return -1;
}

bool value_duration(const char *text, uint32_t *ms)
{
	size_t digits = strspn(text, "0123456789");
	bool milli = strcmp(text + digits, "ms") == 0;
	char number[16];
	uint32_t value;

	if (digits >= sizeof number || (!milli && text[digits] && strcmp(text + digits, "s") != 0))
		return false;
	memcpy(number, text, digits);
	number[digits] = 0;
	if (!value_u32(number, 0, milli ? UINT32_MAX : UINT32_MAX / 1000, &value))
		return false;
	*ms = milli ? value : value * 1000;
	return true;
}

size_t value_split(char *text, char **words, size_t max)
{
	size_t count = 0;
	char *save = NULL;

	for (char *word = strtok_r(text, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		if (count < max)
			words[count] = word;
		count++;
	}
	return count;
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_-.@+", c));
}

const char *value_name(const char *text, char out[IFNAMSIZ])
{
	size_t len = strlen(text);

	if (!len)
		return "is empty";
	if (len >= IFNAMSIZ)
		return "is longer than 15 characters";
	if (strpbrk(text, " \t"))
		return "has a space in it";
	if (strchr(text, '/'))
		return "has a / in it";
	for (const char *c = text; *c; c++)
		if (!name_char(*c))
			return "has a character other than letters, digits and _ - . @ +";
	if (text[0] == '-' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return "cannot be told from an option or a folder";
	memcpy(out, text, len + 1);
	return NULL;
}

#define DISTANCE_MAX 20

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned value_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned d[DISTANCE_MAX + 1][DISTANCE_MAX + 1];

	if (la > DISTANCE_MAX || lb > DISTANCE_MAX)
		return 100;
	for (unsigned i = 0; i <= la; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= lb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			int ca = tolower((unsigned char)a[i - 1]);
			int cb = tolower((unsigned char)b[j - 1]);

			d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1,
					d[i - 1][j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
			    cb == tolower((unsigned char)a[i - 2]))
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[la][lb];
}
