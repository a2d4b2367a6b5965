/* SPDX-License-Identifier: ISC */
/*
 * What systemd is told of a service of Type=notify: sd_notify(3), spoken over
 * the socket that NOTIFY_SOCKET names.  Elsewhere nothing happens.
 */
#ifndef AGENT_DAEMON_NOTIFY_H
#define AGENT_DAEMON_NOTIFY_H

#include <stdint.h>

/* Reads the environment, and clears it for children. */
void notify_init(void);

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
/* A line that systemctl status shows. */
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* How often the watchdog wants to be told, at least; 0: there is none. */
uint64_t notify_watchdog_ms(void);
void notify_alive(void);

#endif
