/* SPDX-License-Identifier: ISC */
/* What follows "dray bundle". */
#ifndef AGENT_CLI_BUNDLE_VERBS_H
#define AGENT_CLI_BUNDLE_VERBS_H

#include "agent/options.h"
#include "base/err.h"

/* ARGV holds the operands behind the name.  Returns the exit status. */
typedef int bundle_fn(const struct options *o, char **argv);

bundle_fn bundle_create;
bundle_fn bundle_import;
bundle_fn bundle_verify;

/* The URL of the bundle in directory MEDIA; malloc'd. */
char *bundle_url(const char *media, struct err *e);

#endif
