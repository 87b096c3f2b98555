/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf_fault.h: the faults of a configuration, collected so that they are told in file order. */
#ifndef CTL_CONF_FAULT_H
#define CTL_CONF_FAULT_H

#include "ctl/conf.h"

struct conf_fault {
	struct conf_place at; /* line 0: the file as a whole */
	char *text;	      /* NULL when memory ran out for it */
};

struct conf_faults {
	struct conf_fault *list;
	size_t count;
	bool lost; /* memory ran out for some */
};

/* Text: "what is wrong: what to write instead". Control characters are printed as '?', because
 * messages quote the file. */
void conf_fault(struct conf_faults *faults, struct conf_place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints them in the order of conf->files and lines. Returns how many there are. */
int conf_faults_print(struct conf_faults *faults, const struct conf *conf, FILE *out);
void conf_faults_free(struct conf_faults *faults);

#endif
