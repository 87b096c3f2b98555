/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/iptunnel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/conf_value.h"

/* Where the reading is: `word` and, for words that take one, `value`. */
struct reader {
	struct iptunnel *out;
	char *error;
	const char *word, *value;
	uint64_t seen; /* one bit for each row of the word table */
	const char *mode_name;
};

__attribute__((format(printf, 2, 3))) static int fail(char *error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(error, IPTUNNEL_ERROR_SIZE, format, args);
	va_end(args);
	return -EINVAL;
}

static int wrong(struct reader *r, const char *hint)
{
	return fail(r->error, "\"%.16s %.64s\" is wrong: %s", r->word, r->value, hint);
}

/* Up to two hexadecimal digits, with or without 0x. */
static bool parse_hex(const char *text, uint8_t *out)
{
	const char *digits = text[0] == '0' && text[1] == 'x' ? text + 2 : text;
	size_t len = strspn(digits, "0123456789abcdefABCDEF");
	if (len == 0 || len > 2 || digits[len] != '\0')
		return false;
	*out = (uint8_t)strtoul(digits, NULL, 16);
	return true;
}

static int take_name(struct reader *r, const char *name)
{
	if (r->out->name[0] != '\0')
		return fail(r->error, "two names, \"%s\" and \"%.64s\": write one", r->out->name,
			    name);
	const char *fault = value_name(name, r->out->name);
	if (!fault)
		return 0;
	r->out->name[0] = '\0';
	return fail(r->error, "interface name \"%.64s\" %s: write 1 to 15 letters and digits", name,
		    fault);
}

static int on_name(struct reader *r)
{
	return take_name(r, r->value);
}

static int on_mode(struct reader *r)
{
	static const struct {
		const char *name;
		enum conf_mode mode;
		uint8_t family;
	} modes[] = {
		{"gre", MODE_GRE, IP_NONE},	  {"gre/ip", MODE_GRE, IP_V4},
		{"gre/ipv6", MODE_GRE, IP_V6},	  {"ip6gre", MODE_GRE, IP_V6},
		{"gretap", MODE_GRETAP, IP_NONE}, {"ip6gretap", MODE_GRETAP, IP_V6},
	};
	if (r->out->has_mode && strcmp(r->mode_name, r->value) != 0)
		return fail(r->error, "two modes, \"%.32s\" and \"%.32s\": write one", r->mode_name,
			    r->value);
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (strcmp(r->value, modes[i].name) != 0)
			continue;
		r->out->has_mode = true;
		r->out->mode = modes[i].mode;
		r->out->mode_family = modes[i].family;
		r->mode_name = r->value;
		return 0;
	}
	return wrong(r, "modes are gre, ip6gre, gretap and ip6gretap");
}

static int take_address(struct reader *r, struct ip_addr *out)
{
	if (strcmp(r->value, "any") == 0 || strcmp(r->value, "0") == 0)
		return wrong(r,
			     "a tunnel has one address at each end: write an IPv4 or IPv6 address");
	if (!addr_parse(r->value, out))
		return wrong(r, "write an IPv4 or IPv6 address");
	if (addr_is_any(out))
		return wrong(r,
			     "a tunnel has one address at each end: write an IPv4 or IPv6 address");
	return 0;
}

static int on_local(struct reader *r)
{
	return take_address(r, &r->out->local);
}

static int on_remote(struct reader *r)
{
	return take_address(r, &r->out->remote);
}

static int on_dev(struct reader *r)
{
	if (value_name(r->value, r->out->dev))
		return wrong(r, "write the name of the interface that the outer packets leave by");
	r->out->has_dev = true;
	return 0;
}

static int on_fwmark(struct reader *r)
{
	if (!value_u32(r->value, 0, UINT32_MAX, &r->out->fwmark))
		return wrong(r, "write a number of 0 (no mark) to 4294967295, also as 0x2a");
	r->out->has_fwmark = true;
	return 0;
}

static int on_ttl(struct reader *r)
{
	uint32_t n = 0;
	if (strcmp(r->value, "inherit") != 0 && !value_u32(r->value, 0, 255, &n))
		return wrong(r, "write 1 to 255, or inherit");
	r->out->has_ttl = true;
	r->out->ttl_inherit = n == 0;
	r->out->ttl = (uint8_t)n;
	return 0;
}

/* The names of RFC 2474, RFC 2597 and RFC 3246; false for another word. */
static bool parse_dscp_name(const char *text, uint8_t *tos)
{
	unsigned a, b;
	int end = 0;
	if (strcasecmp(text, "ef") == 0)
		*tos = 46 << 2;
	else if (strncasecmp(text, "cs", 2) == 0 && sscanf(text + 2, "%1u%n", &a, &end) == 1 &&
		 text[2 + end] == '\0' && a <= 7)
		*tos = (uint8_t)(a << 5);
	else if (strncasecmp(text, "af", 2) == 0 &&
		 sscanf(text + 2, "%1u%1u%n", &a, &b, &end) == 2 && text[2 + end] == '\0' &&
		 a >= 1 && a <= 4 && b >= 1 && b <= 3)
		*tos = (uint8_t)(a << 5 | b << 3);
	else
		return false;
	return true;
}

static int on_tos(struct reader *r)
{
	const char *hint = "write inherit, two hexadecimal digits with the lower two bits zero "
			   "(like 0x10), or a name like CS6, AF21, EF";
	uint8_t tos = 0;
	/* Hexadecimal with or without 0x, and 1 for inherit: so does iproute2. */
	if (strcmp(r->value, "inherit") == 0)
		tos = 1;
	else if (!parse_dscp_name(r->value, &tos) && !parse_hex(r->value, &tos))
		return wrong(r, hint);
	if (tos != 1 && (tos & 3) != 0)
		return wrong(r, hint);
	r->out->has_tos = true;
	r->out->tos_inherit = tos == 1;
	r->out->tos = tos == 1 ? 0 : tos;
	return 0;
}

static int on_mtu(struct reader *r)
{
	uint32_t n;
	if (!value_u32(r->value, 68, 65535, &n))
		return wrong(r, "write 68 to 65535 octets, or leave it out and let it be computed");
	r->out->has_mtu = true;
	r->out->mtu = n;
	return 0;
}

/* A key is a number, or the same 32 bits as a dotted quad. */
static int take_key(struct reader *r, uint32_t *out)
{
	struct ip_addr quad;
	if (value_u32(r->value, 0, UINT32_MAX, out))
		return 0;
	if (addr_parse(r->value, &quad) && quad.family == IP_V4)
		*out = (uint32_t)quad.bytes[0] << 24 | (uint32_t)quad.bytes[1] << 16 |
		       (uint32_t)quad.bytes[2] << 8 | quad.bytes[3];
	else
		return wrong(r, "write a number of 0 to 4294967295, or a dotted quad");
	return 0;
}

static int on_ikey(struct reader *r)
{
	r->out->ikey = SAID_ON;
	return take_key(r, &r->out->ikey_value);
}

static int on_okey(struct reader *r)
{
	r->out->okey = SAID_ON;
	return take_key(r, &r->out->okey_value);
}

static int on_key(struct reader *r)
{
	int e = on_ikey(r);
	return e ? e : on_okey(r);
}

/* Words that stand alone: csum, nocsum, icsum, … The direction is the letter before the stem, and
 * the answer is off when the word starts with "no". */
static int on_flag(struct reader *r)
{
	const char *word = r->word;
	enum iptunnel_said said = SAID_ON;
	if (strncmp(word, "no", 2) == 0) {
		said = SAID_OFF;
		word += 2;
	}
	struct iptunnel *o = r->out;
	if (strcmp(word, "pmtudisc") == 0) {
		o->pmtudisc = said;
		return 0;
	}
	if (strcmp(word, "ignore-df") == 0) {
		o->ignore_df = said;
		return 0;
	}
	bool in = word[0] != 'o', out = word[0] != 'i';
	const char *stem = word[0] == 'i' || word[0] == 'o' ? word + 1 : word;
	enum iptunnel_said *both[2] = {&o->icsum, &o->ocsum};
	if (strcmp(stem, "seq") == 0) {
		both[0] = &o->iseq;
		both[1] = &o->oseq;
	} else if (strcmp(stem, "key") == 0) {
		both[0] = &o->ikey;
		both[1] = &o->okey;
	}
	if (in)
		*both[0] = said;
	if (out)
		*both[1] = said;
	return 0;
}

static int on_unsupported(struct reader *r)
{
	bool encap = strcmp(r->word, "encap") == 0;

	return fail(r->error, "\"%s\" is not supported: leave it out%s", r->word,
		    encap ? ", or write the tunnel into the file, with udp = yes or gue" : "");
}

enum { ALONE, TAKES_VALUE };

static const struct word {
	const char *name;
	int arity;
	int (*read)(struct reader *);
} words_known[] = {
	{"name", TAKES_VALUE, on_name},
	{"mode", TAKES_VALUE, on_mode},
	{"type", TAKES_VALUE, on_mode},
	{"remote", TAKES_VALUE, on_remote},
	{"local", TAKES_VALUE, on_local},
	{"dev", TAKES_VALUE, on_dev},
	{"fwmark", TAKES_VALUE, on_fwmark},
	{"ttl", TAKES_VALUE, on_ttl},
	{"hoplimit", TAKES_VALUE, on_ttl},
	{"hlim", TAKES_VALUE, on_ttl},
	{"tos", TAKES_VALUE, on_tos},
	{"tclass", TAKES_VALUE, on_tos},
	{"dsfield", TAKES_VALUE, on_tos},
	{"mtu", TAKES_VALUE, on_mtu},
	{"key", TAKES_VALUE, on_key},
	{"ikey", TAKES_VALUE, on_ikey},
	{"okey", TAKES_VALUE, on_okey},
	{"nokey", ALONE, on_flag},
	{"noikey", ALONE, on_flag},
	{"nookey", ALONE, on_flag},
	{"csum", ALONE, on_flag},
	{"icsum", ALONE, on_flag},
	{"ocsum", ALONE, on_flag},
	{"nocsum", ALONE, on_flag},
	{"noicsum", ALONE, on_flag},
	{"noocsum", ALONE, on_flag},
	{"seq", ALONE, on_flag},
	{"iseq", ALONE, on_flag},
	{"oseq", ALONE, on_flag},
	{"noseq", ALONE, on_flag},
	{"noiseq", ALONE, on_flag},
	{"nooseq", ALONE, on_flag},
	{"pmtudisc", ALONE, on_flag},
	{"nopmtudisc", ALONE, on_flag},
	{"ignore-df", ALONE, on_flag},
	{"noignore-df", ALONE, on_flag},
	{"encap", ALONE, on_unsupported},
	{"noencap", ALONE, on_unsupported},
	{"encaplimit", ALONE, on_unsupported},
	{"external", ALONE, on_unsupported},
	{"flowlabel", ALONE, on_unsupported},
	{"erspan", ALONE, on_unsupported},
	{"allow-localremote", ALONE, on_unsupported},
};

#define WORDS_KNOWN (sizeof words_known / sizeof words_known[0])
_Static_assert(WORDS_KNOWN <= 64, "reader.seen has one bit for each word");

static const struct word *find_exact(const char *text)
{
	for (size_t i = 0; i < WORDS_KNOWN; i++)
		if (strcmp(text, words_known[i].name) == 0)
			return &words_known[i];
	return NULL;
}

/* The word that `text` is, or is the only possible beginning of. NULL with *second NULL: none; NULL
 * with *first and *second: these two at least. */
static const struct word *find_word(const char *text, const char **first, const char **second)
{
	*first = *second = NULL;
	const struct word *found = find_exact(text);
	size_t len = strlen(text);
	if (found || len == 0)
		return found;
	for (size_t i = 0; i < WORDS_KNOWN; i++) {
		if (strncmp(text, words_known[i].name, len) != 0)
			continue;
		if (found) {
			*first = found->name;
			*second = words_known[i].name;
			return NULL;
		}
		found = &words_known[i];
	}
	return found;
}

/* In `ip link add dev NAME type gre` the first "dev" names the tunnel, not the underlay. */
static bool dev_is_name(const char *const *words, size_t count)
{
	if (count < 2 || strcmp(words[0], "dev") != 0)
		return false;
	for (size_t i = 2; i < count; i++)
		if (strcmp(words[i], "type") == 0)
			return true;
	return false;
}

static int unknown_word(struct reader *r, const char *text, const char *first, const char *second)
{
	if (second)
		return fail(r->error, "\"%.64s\" can be \"%s\" or \"%s\": write it out", text,
			    first, second);
	return fail(
		r->error,
		"unknown word \"%.64s\": the words are mode, remote, local, ttl, tos, key, ikey, "
		"okey, csum, seq, dev, fwmark, mtu, pmtudisc, nopmtudisc",
		text);
}

/* Reads the word at *i and its value, and moves *i behind them. */
static int read_word(struct reader *r, const char *const *words, size_t count, size_t *i)
{
	const char *text = words[*i], *first = NULL, *second = NULL;
	bool is_name = *i == 0 && !find_exact(text);
	const struct word *word = is_name ? NULL : find_word(text, &first, &second);
	if (!word && r->out->name[0] == '\0' && (is_name || !second)) {
		*i += 1;
		return take_name(r, text);
	}
	if (!word)
		return unknown_word(r, text, first, second);
	r->word = word->name;
	*i += 1;
	if (word->arity == TAKES_VALUE) {
		uint64_t bit = UINT64_C(1) << (word - words_known);
		if (*i >= count)
			return fail(r->error, "\"%s\" is the last word: write a value after it",
				    word->name);
		if (r->seen & bit && word->read != on_name && word->read != on_mode)
			return fail(r->error, "\"%s\" is written twice: write it once", word->name);
		r->seen |= bit;
		r->value = words[*i];
		*i += 1;
	}
	return word->read(r);
}

int iptunnel_check(const struct iptunnel *t, char error[IPTUNNEL_ERROR_SIZE])
{
	uint8_t family = t->remote.family ? t->remote.family : t->local.family;
	if (t->local.family && t->remote.family && t->local.family != t->remote.family)
		return fail(error, "\"local\" and \"remote\" are of different families: write two "
				   "IPv4 or two IPv6 addresses");
	if (t->mode_family && family && family != t->mode_family)
		return fail(error,
			    "this mode runs over %s, but the addresses are %s: change one of them",
			    t->mode_family == IP_V4 ? "IPv4" : "IPv6",
			    family == IP_V4 ? "IPv4" : "IPv6");
	if (t->pmtudisc == SAID_ON && t->ignore_df == SAID_ON)
		return fail(error,
			    "\"pmtudisc\" and \"ignore-df\" contradict each other: write one");
	return 0;
}

int iptunnel_parse(const char *const *words, size_t count, struct iptunnel *out,
		   char error[IPTUNNEL_ERROR_SIZE])
{
	*out = (struct iptunnel){0};
	struct reader r = {.out = out, .error = error};
	size_t i = 0;
	int e = 0;
	if (dev_is_name(words, count)) {
		e = take_name(&r, words[1]);
		i = 2;
	}
	while (e == 0 && i < count)
		e = read_word(&r, words, count, &i);
	if (e == 0 && out->name[0] == '\0')
		e = fail(error, "the tunnel has no name: write NAME first, as in "
				"\"gretel add NAME mode gre remote ADDRESS local ADDRESS\"");
	return e ? e : iptunnel_check(out, error);
}
