/* SPDX-License-Identifier: ISC */
/* A directory, opened as a store. */
#ifndef TESTS_UNIT_STORE_AT_H
#define TESTS_UNIT_STORE_AT_H

#include <stdio.h>
#include <stdlib.h>

#include "transfer/store.h"

/* Ends the program where it can't be. */
static inline struct store *
store_at(const char *path)
{
	static const struct store_config config;
	struct err e = ERR_INIT;
	AUTO(store_url) struct store_url *url = store_url_parse(path, &e);
	struct store *s = url != NULL ? store_open(url, &config, &e) : NULL;

	if (s == NULL) {
		fprintf(stderr, "%s: %s\n", path, e.msg);
		exit(99);
	}
	return s;
}

#endif
