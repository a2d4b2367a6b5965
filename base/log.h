/* SPDX-License-Identifier: ISC */
/*
 * Log lines for people, to standard error or a file.  Only agent/ logs.
 * Thread-safe; one write per line.  A hook lets the progress display step
 * aside for a line on a terminal.  Where standard error is systemd's journal,
 * lines begin with their priority, as sd-daemon(3) has it.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* Whether standard error is the journal now: $JOURNAL_STREAM names it. */
void log_find_journal(void);
/* Appends to PATH from now on (lines get a time stamp there). */
int log_open(const char *path, struct err *e);
void log_close(void);
/*
 * BEFORE(ARG) runs ahead of each line to standard error and AFTER(ARG) behind
 * it; NULL for none.  They must not log.
 */
void log_set_hooks(void (*before)(void *), void (*after)(void *), void *arg);

void log_line(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
