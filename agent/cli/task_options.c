/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "agent/cli/task_options.h"

int
task_options(struct options *o, const struct conf_words *words,
    enum verb_id verb, struct err *e)
{
	/* The parser puts them in another order. */
	AUTO(free) char **argv = calloc(words->n + 1, sizeof(*argv));
	int argc = (int)words->n;

	if (argv == NULL)
		return err_set(e, ERR_NOMEM, "out of memory");
	if (words->n > 0)
		memcpy(argv, words->words, words->n * sizeof(*argv));
	if (options_init(o, e) == -1)
		return -1;
	if (options_parse(o, verb, &argc, argv, e) == -1)
		return -1;
	return options_finish(o, verb, e);
}
