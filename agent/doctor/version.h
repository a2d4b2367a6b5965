/* SPDX-License-Identifier: ISC */
/* Version numbers with dots.  Pure. */
#ifndef AGENT_DOCTOR_VERSION_H
#define AGENT_DOCTOR_VERSION_H

#include <stdbool.h>

/* Below 0, 0 or above it as A is older than B, the same or newer; what isn't
 * there is 0, and letters end it: "1.1.1w" is "1.1.1". */
int version_compare(const char *a, const char *b);
/* Whether V is FROM or newer, and older than BELOW (NULL: any). */
bool version_in(const char *v, const char *from, const char *below);

#endif
