/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
on_line(void *arg, const struct ini_line *l, struct err *e)
{
	(void)arg;
	(void)e;
	assert(*l->key != '\0' && strlen(l->value) < INI_LINE_MAX);
	assert(strchr(l->value, '\n') == NULL);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(fclose) FILE *f = tmpfile();
	struct err e = ERR_INIT;

	if (f == NULL || fwrite(data, 1, size, f) != size)
		return 0;
	rewind(f);
	if (ini_read(f, "fuzz", on_line, NULL, &e) == -1)
		assert(strncmp(e.msg, "fuzz:", 5) == 0);
	return 0;
}
