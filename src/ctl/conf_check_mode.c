/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What belongs to one mode of tunnel and not to another. */
#include "ctl/conf_parse.h"

enum { NVGRE = 1 << MODE_NVGRE, ERSPAN = 1 << MODE_ERSPAN };

/* Keys that only these modes have. */
static const struct {
	enum conf_tunnel_key key;
	enum conf_mode mode;
	const char *name;
} belongs[] = {
	{TUNNEL_VSID, MODE_NVGRE, "vsid"},
	{TUNNEL_ERSPAN_TYPE, MODE_ERSPAN, "erspan-type"},
	{TUNNEL_ERSPAN_SESSION, MODE_ERSPAN, "erspan-session"},
	{TUNNEL_ERSPAN_INDEX, MODE_ERSPAN, "erspan-index"},
	{TUNNEL_ERSPAN_DIRECTION, MODE_ERSPAN, "erspan-direction"},
	{TUNNEL_ERSPAN_HARDWARE, MODE_ERSPAN, "erspan-hardware"},
};

/* Keys that these modes do not have, and why. */
static const struct {
	enum conf_tunnel_key key;
	unsigned modes;
	const char *name, *why;
} refused[] = {
	{TUNNEL_KEY, NVGRE, "key", "has its vsid in the place of a key"},
	{TUNNEL_IKEY, NVGRE, "ikey", "has its vsid in the place of a key"},
	{TUNNEL_OKEY, NVGRE, "okey", "has its vsid in the place of a key"},
	{TUNNEL_KEY, ERSPAN, "key", "has its session in the place of a key"},
	{TUNNEL_IKEY, ERSPAN, "ikey", "has its session in the place of a key"},
	{TUNNEL_OKEY, ERSPAN, "okey", "has its session in the place of a key"},
	{TUNNEL_CHECKSUM, NVGRE | ERSPAN, "checksum", "has no checksums"},
	{TUNNEL_SEQUENCE, NVGRE, "sequence", "has no sequence numbers"},
	{TUNNEL_SEQUENCE, ERSPAN, "sequence", "numbers its packets as its type says"},
	{TUNNEL_DF, NVGRE, "df", "is never fragmented (RFC 7637 4.4)"},
	{TUNNEL_KEEPALIVE, NVGRE | ERSPAN, "keepalive", "has an end that answers nothing"},
	{TUNNEL_PROBE, NVGRE | ERSPAN, "probe", "has an end that answers nothing"},
	{TUNNEL_ECHO_REPLY, NVGRE | ERSPAN, "echo-reply", "has an end that asks nothing"},
	{TUNNEL_PROFILE, NVGRE | ERSPAN, "profile", "is nothing that providers of GRE have"},
	{TUNNEL_MSS, ERSPAN, "mss", "carries copies, which are left as they are"},
	{TUNNEL_BRIDGE, ERSPAN, "bridge", "carries copies, which must not be forwarded"},
	{TUNNEL_VRF, ERSPAN, "vrf", "carries copies, not traffic"},
	{TUNNEL_ADDRESS, ERSPAN, "address", "carries copies, not traffic"},
	{TUNNEL_ROUTE, ERSPAN, "route", "carries copies, not traffic"},
	{TUNNEL_BACKUP_OF, ERSPAN, "backup-of", "carries copies, not traffic"},
	{TUNNEL_GROUP, ERSPAN, "group", "carries copies, not traffic"},
	{TUNNEL_RETURN_PATH, ERSPAN, "return-path", "carries copies, not traffic"},
};

/* Whether the key says something else than that nothing of the kind is wanted. */
static bool is_wanted(const struct conf_tunnel *t, enum conf_tunnel_key key)
{
	switch (key) {
	case TUNNEL_CHECKSUM:
		return t->checksum != CHECKSUM_NO;
	case TUNNEL_SEQUENCE:
		return t->sequence != SEQUENCE_NO;
	case TUNNEL_DF:
		return t->df != DF_SET;
	case TUNNEL_KEEPALIVE:
		return t->keepalive_interval_ms != 0;
	case TUNNEL_PROBE:
		return t->probe.family != IP_NONE;
	case TUNNEL_ECHO_REPLY:
		return t->echo_return;
	case TUNNEL_MSS:
		return !t->mss_auto && t->mss;
	case TUNNEL_RETURN_PATH:
		return t->return_path;
	default:
		return t->lines[key] != 0;
	}
}

/* What types of ERSPAN have and others have not. */
static void check_erspan(const struct conf_tunnel *t, struct conf_faults *faults)
{
	static const struct {
		enum conf_tunnel_key key;
		uint8_t type;
		const char *name;
	} fields[] = {
		{TUNNEL_ERSPAN_INDEX, 2, "erspan-index"},
		{TUNNEL_ERSPAN_DIRECTION, 3, "erspan-direction"},
		{TUNNEL_ERSPAN_HARDWARE, 3, "erspan-hardware"},
	};

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (t->lines[fields[i].key] && t->erspan_type != fields[i].type)
			conf_fault(faults, conf_key_place(t, fields[i].key),
				   "only type %u of ERSPAN has this field: write erspan-type = %u, "
				   "or leave out %s",
				   fields[i].type, fields[i].type, fields[i].name);
	if (t->erspan_type == 1 && t->lines[TUNNEL_ERSPAN_SESSION])
		conf_fault(faults, conf_key_place(t, TUNNEL_ERSPAN_SESSION),
			   "type 1 of ERSPAN has no sessions: write erspan-type = 2, or leave out "
			   "erspan-session");
	else if (t->erspan_type > 1 && !t->lines[TUNNEL_ERSPAN_SESSION])
		conf_fault(faults, t->at,
			   "the tunnel has no erspan-session: write erspan-session = the number "
			   "of the mirror session, 0 to 1023");
}

void conf_check_mode(const struct conf_tunnel *t, struct conf_faults *faults)
{
	const char *mode = conf_mode_name(t->mode);

	for (size_t i = 0; i < sizeof belongs / sizeof belongs[0]; i++)
		if (t->lines[belongs[i].key] && t->mode != belongs[i].mode)
			conf_fault(faults, conf_key_place(t, belongs[i].key),
				   "mode = %s has no %s: write mode = %s, or leave it out", mode,
				   belongs[i].name, conf_mode_name(belongs[i].mode));
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (refused[i].modes & 1U << t->mode && is_wanted(t, refused[i].key))
			conf_fault(faults, conf_key_place(t, refused[i].key),
				   "a tunnel with mode = %s %s: leave out %s", mode, refused[i].why,
				   refused[i].name);
	if (t->mode == MODE_NVGRE && !t->lines[TUNNEL_VSID])
		conf_fault(faults, t->at,
			   "the tunnel has no vsid: write vsid = the number of the virtual "
			   "subnet, 4096 to 16777214");
	if (t->mode == MODE_ERSPAN)
		check_erspan(t, faults);
}
