/* SPDX-License-Identifier: ISC */
/* Names of stores: what is understood is understood the same again. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "transfer/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	AUTO(free) char *text = strndup((const char *)data, size);
	AUTO(store_url) struct store_url *u = NULL;
	AUTO(store_url) struct store_url *again = NULL;

	if (text == NULL || strlen(text) > 10000)
		return 0;
	u = store_url_parse(text, &e);
	if (u == NULL) {
		if (e.kind == ERR_NONE || e.msg[0] == '\0')
			abort();
		return 0;
	}
	again = store_url_parse(u->text, &e);
	if (again == NULL || again->scheme != u->scheme ||
	    strcmp(again->host, u->host) != 0 ||
	    strcmp(again->path, u->path) != 0 ||
	    strcmp(again->text, u->text) != 0)
		abort();
	if (u->scheme == STORE_POSIX && u->path[0] != '/')
		abort();
	if (u->scheme == STORE_S3 && (u->host[0] == '\0' || u->path[0] == '/'))
		abort();
	return 0;
}
