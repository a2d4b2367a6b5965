/* SPDX-License-Identifier: ISC */
/*
 * What whoever started a run tells it while it goes on: a JSON object a line,
 * over a descriptor (--control-fd N, which no --help tells of).
 *
 *	{"set": {"bwlimit": "10M"}}	as --bwlimit
 *	{"stop": "window"}		ends as at the end of --max-duration
 *	{"stop": "now"}			ends as by a second SIGTERM
 *
 * One object may have both.  A line that makes no sense, or is longer than
 * CONTROL_LINE_MAX, is logged and changes nothing.
 */
#ifndef AGENT_CONTROL_IN_H
#define AGENT_CONTROL_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

#define CONTROL_LINE_MAX 4096

enum control_stop { CONTROL_GO_ON, CONTROL_STOP_WINDOW, CONTROL_STOP_NOW };

struct control {
	bool has_bwlimit;
	uint64_t bwlimit; /* bytes a second; 0: off */
	enum control_stop stop;
};

/* One line, without its end.  ERR_USAGE, ERR_PROTOCOL.  Pure. */
int control_parse(
    const char *line, size_t len, struct control *out, struct err *e);

struct control_in {
	int fd;
	struct buf line; /* the beginning of one */
	bool too_long;
};

/* FD is borrowed. */
void control_in_init(struct control_in *c, int fd);
void control_in_free(struct control_in *c);
/*
 * Reads what is there, once (it waits only if nothing is), and passes what it
 * asks for to FN.  False if nothing will come any more.
 */
bool control_in_read(struct control_in *c,
    void (*fn)(void *arg, const struct control *order), void *arg);

#endif
