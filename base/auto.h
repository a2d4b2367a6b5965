/* SPDX-License-Identifier: ISC */
/*
 * Scope-bound cleanup.  AUTO(free) char *p = malloc(n); is freed when the
 * scope ends, unless TAKE(p) has moved it out (p is NULL, or -1, then).
 * AUTO(x) calls auto_x(&variable): a module that owns a type defines one with
 * AUTO_DEFINE next to its x_free().
 */
#ifndef BASE_AUTO_H
#define BASE_AUTO_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AUTO(how) __attribute__((cleanup(auto_##how)))

/* Moves a pointer out of an AUTO variable: the caller owns it now. */
#define TAKE(p)                            \
	__extension__({                    \
		__typeof__(p) take_ = (p); \
		(p) = NULL;                \
		take_;                     \
	})

/* Defines auto_NAME for variables of TYPE *, released by FREE(). */
#define AUTO_DEFINE(name, type, release)         \
	static inline void auto_##name(type **p) \
	{                                        \
		release(*p);                     \
	}

static inline void
auto_free(void *p)
{
	free(*(void **)p);
}

static inline void
auto_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void
auto_fclose(FILE **f)
{
	if (*f != NULL)
		fclose(*f);
}

/* Moves a descriptor out of an AUTO(close) variable. */
static inline int
take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
