/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <stdint.h>
#include <string.h>

#include "transfer/glob.h"

#define STATES_MAX 8192
#define DEPTH_MAX 50 /* of braces */
#define WORDS_MAX (STATES_MAX / 64)

enum op {
	OP_CHAR,  /* the byte c */
	OP_ANY,	  /* ?: any byte but '/' */
	OP_CLASS, /* a byte of class a */
	OP_STAR,  /* *: stays on any byte but '/', or goes on for nothing */
	OP_DEEP,  /* **: stays on any byte, or goes on for nothing */
	OP_SPLIT, /* goes to the next state and to a, for nothing */
	OP_JUMP,  /* goes to a, for nothing */
	OP_MATCH,
};

struct state {
	uint8_t op;
	uint8_t c;
	uint16_t a;
};

struct class
{
	uint64_t bits[4];
};

struct glob {
	bool anchored;
	bool dirs_only;
	/* Not anchored, and the number of its components is not fixed: it may
	 * begin at any component.  Else it takes the last SLASHES + 1. */
	bool begins_anywhere;
	unsigned slashes;
	int last; /* the byte that every match ends with, or -1 */
	size_t n;
	struct state *states;
	/* For up to 64 states: what each one reaches for nothing, with itself;
	 * a step needs no memory then. */
	uint64_t *reach;
	size_t n_classes;
	struct class *classes;
};

struct parser {
	struct glob *g;
	const char *pattern;
	const char *p;
	const char *end;
	struct err *e;
};

void
glob_free(struct glob *g)
{
	if (g == NULL)
		return;
	free(g->states);
	free(g->reach);
	free(g->classes);
	free(g);
}

bool
glob_is_for_dirs(const struct glob *g)
{
	return g->dirs_only;
}

static int
wrong(struct parser *s, const char *what)
{
	return err_set(s->e, ERR_USAGE, "pattern \"%s\": %s", s->pattern, what);
}

static int
emit(struct parser *s, enum op op, uint8_t c)
{
	struct glob *g = s->g;

	if (g->n == STATES_MAX)
		return wrong(s, "too long");
	g->states[g->n++] = (struct state){.op = (uint8_t)op, .c = c};
	return 0;
}

/* One byte of a class, maybe quoted. */
static int
class_byte(struct parser *s, uint8_t *out)
{
	if (s->p < s->end && *s->p == '\\')
		s->p++;
	if (s->p == s->end)
		return wrong(
		    s, "'[' without ']' (write \\[ for the character)");
	*out = (uint8_t)*s->p++;
	return 0;
}

static int
parse_class(struct parser *s)
{
	struct glob *g = s->g;
	struct class set = {.bits = {0}};
	bool negated = s->p < s->end && (*s->p == '!' || *s->p == '^');
	bool first = true;
	struct class *grown;
	unsigned i;

	s->p += negated;
	for (; s->p == s->end || *s->p != ']' || first; first = false) {
		uint8_t low = 0, high;

		if (class_byte(s, &low) == -1)
			return -1;
		high = low;
		if (s->end - s->p >= 2 && s->p[0] == '-' && s->p[1] != ']') {
			s->p++;
			if (class_byte(s, &high) == -1)
				return -1;
		}
		if (low > high)
			return wrong(s, "a range in [] runs backwards");
		for (i = low; i <= high; i++)
			set.bits[i / 64] |= (uint64_t)1 << i % 64;
	}
	s->p++;
	for (i = 0; negated && i < 4; i++)
		set.bits[i] = ~set.bits[i];
	set.bits['/' / 64] &= ~((uint64_t)1 << '/' % 64);
	grown = realloc(g->classes, (g->n_classes + 1) * sizeof(set));
	if (grown == NULL)
		return err_set(s->e, ERR_NOMEM, "out of memory");
	g->classes = grown;
	g->classes[g->n_classes] = set;
	if (emit(s, OP_CLASS, 0) == -1)
		return -1;
	g->states[g->n - 1].a = (uint16_t)g->n_classes++;
	return 0;
}

/* Some stars.  A component "**" followed by a slash may also be nothing. */
static int
parse_stars(struct parser *s)
{
	bool begins = s->p - 1 == s->pattern || s->p[-2] == '/';
	size_t more = strspn(s->p, "*");
	size_t split = s->g->n;

	s->p += more;
	if (more == 0)
		return emit(s, OP_STAR, 0);
	s->g->begins_anywhere = true;
	if (!begins || s->p >= s->end || *s->p != '/')
		return emit(s, OP_DEEP, 0);
	s->p++;
	if (emit(s, OP_SPLIT, 0) == -1 || emit(s, OP_DEEP, 0) == -1 ||
	    emit(s, OP_CHAR, '/') == -1)
		return -1;
	s->g->states[split].a = (uint16_t)s->g->n;
	return 0;
}

static int parse_sequence(struct parser *s, unsigned depth);

/* {a,b}: each alternative but the last is split off, and jumps to the end. */
static int
parse_braces(struct parser *s, unsigned depth)
{
	struct glob *g = s->g;
	size_t jumps = 0; /* chained by their a, which 0 can't be */

	if (depth == DEPTH_MAX)
		return wrong(s, "too many braces in braces");
	for (;;) {
		size_t split = g->n;

		if (emit(s, OP_SPLIT, 0) == -1 ||
		    parse_sequence(s, depth + 1) == -1)
			return -1;
		if (s->p == s->end)
			return wrong(
			    s, "'{' without '}' (write \\{ for the character)");
		if (*s->p++ == '}') {
			g->states[split].a = (uint16_t)(split + 1);
			break;
		}
		if (emit(s, OP_JUMP, 0) == -1)
			return -1;
		g->states[g->n - 1].a = (uint16_t)jumps;
		jumps = g->n - 1;
		g->states[split].a = (uint16_t)g->n;
	}
	while (jumps != 0) {
		size_t next = g->states[jumps].a;

		g->states[jumps].a = (uint16_t)g->n;
		jumps = next;
	}
	return 0;
}

static int
parse_one(struct parser *s, unsigned depth)
{
	uint8_t c = (uint8_t)*s->p++;

	switch (c) {
	case '\\':
		if (s->p == s->end)
			return wrong(s, "ends with a backslash");
		return emit(s, OP_CHAR, (uint8_t)*s->p++);
	case '*':
		return parse_stars(s);
	case '?':
		return emit(s, OP_ANY, 0);
	case '[':
		return parse_class(s);
	case '{':
		return parse_braces(s, depth);
	case '}':
		return wrong(
		    s, "'}' without '{' (write \\} for the character)");
	case '/':
		s->g->slashes++;
		if (depth > 0)
			s->g->begins_anywhere = true;
		return emit(s, OP_CHAR, c);
	default:
		return emit(s, OP_CHAR, c);
	}
}

/* Up to the end or, in braces, to their ',' or '}'. */
static int
parse_sequence(struct parser *s, unsigned depth)
{
	while (s->p < s->end) {
		if (depth > 0 && (*s->p == ',' || *s->p == '}'))
			return 0;
		if (parse_one(s, depth) == -1)
			return -1;
	}
	return 0;
}

/* A '/' at the end, which no backslash quotes. */
static bool
ends_in_slash(const struct parser *s)
{
	const char *p = s->end - 1;
	size_t quotes = 0;

	if (p < s->p || *p != '/')
		return false;
	while (p > s->p && p[-1] == '\\') {
		quotes++;
		p--;
	}
	return quotes % 2 == 0;
}

static int
compile(struct parser *s)
{
	struct glob *g = s->g;

	g->anchored = s->p < s->end && *s->p == '/';
	while (s->p < s->end && *s->p == '/')
		s->p++;
	for (; ends_in_slash(s); s->end--)
		g->dirs_only = true;
	if (s->p == s->end)
		return wrong(s, "matches nothing");
	if (parse_sequence(s, 0) == -1)
		return -1;
	g->last = -1;
	if (g->states[g->n - 1].op == OP_CHAR && s->end[-1] != '}')
		g->last = g->states[g->n - 1].c;
	return emit(s, OP_MATCH, 0);
}

/* Adds state I, and those that it reaches for nothing, to SET. */
static void
add(const struct glob *g, uint64_t *set, size_t i)
{
	for (;;) {
		uint64_t bit = (uint64_t)1 << i % 64;

		if ((set[i / 64] & bit) != 0)
			return;
		set[i / 64] |= bit;
		switch ((enum op)g->states[i].op) {
		case OP_STAR:
		case OP_DEEP:
			i++;
			break;
		case OP_SPLIT:
			add(g, set, i + 1);
			i = g->states[i].a;
			break;
		case OP_JUMP:
			i = g->states[i].a;
			break;
		case OP_CHAR:
		case OP_ANY:
		case OP_CLASS:
		case OP_MATCH:
			return;
		}
	}
}

/* False: out of memory. */
static bool
prepare(struct glob *g)
{
	size_t i;

	g->reach = calloc(g->n, sizeof(g->reach[0]));
	for (i = 0; g->reach != NULL && i < g->n; i++)
		add(g, &g->reach[i], i);
	return g->reach != NULL;
}

struct glob *
glob_new(const char *pattern, struct err *e)
{
	AUTO(glob) struct glob *g = calloc(1, sizeof(*g));
	size_t len = strlen(pattern);
	struct parser s = {
	    .g = g,
	    .pattern = pattern,
	    .p = pattern,
	    .end = pattern + len,
	    .e = e,
	};
	struct state *fit;

	if (g == NULL ||
	    (g->states = calloc(STATES_MAX, sizeof(*g->states))) == NULL) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (compile(&s) == -1)
		return NULL;
	if (g->n <= 64 && !prepare(g)) {
		err_set(e, ERR_NOMEM, "out of memory");
		return NULL;
	}
	fit = realloc(g->states, g->n * sizeof(*g->states));
	if (fit != NULL)
		g->states = fit;
	return TAKE(g);
}

/* Where state I goes on the byte C; NOWHERE if it does not. */
#define NOWHERE SIZE_MAX

static inline size_t
next_of(const struct glob *g, size_t i, uint8_t c)
{
	const struct state *s = &g->states[i];

	switch ((enum op)s->op) {
	case OP_CHAR:
		return c == s->c ? i + 1 : NOWHERE;
	case OP_ANY:
		return c != '/' ? i + 1 : NOWHERE;
	case OP_CLASS:
		return (g->classes[s->a].bits[c / 64] >> c % 64 & 1) != 0
		    ? i + 1
		    : NOWHERE;
	case OP_STAR:
		return c != '/' ? i : NOWHERE;
	case OP_DEEP:
		return i;
	case OP_SPLIT:
	case OP_JUMP:
	case OP_MATCH:
		break;
	}
	return NOWHERE;
}

static bool
step_big(const struct glob *g, uint64_t *set, uint8_t c)
{
	size_t words = g->n / 64 + 1, w, to;
	uint64_t next[WORDS_MAX + 1];
	uint64_t any = 0;

	memset(next, 0, words * sizeof(next[0]));
	for (w = 0; w < words; w++) {
		uint64_t bits = set[w];

		for (; bits != 0; bits &= bits - 1) {
			to = next_of(
			    g, w * 64 + (size_t)__builtin_ctzll(bits), c);
			if (to != NOWHERE)
				add(g, next, to);
		}
	}
	for (w = 0; w < words; w++)
		any |= set[w] = next[w];
	return any != 0;
}

/* One byte.  False if no state is left. */
static inline bool
step(const struct glob *g, uint64_t *set, uint8_t c)
{
	uint64_t bits = set[0], next = 0;

	if (g->reach == NULL)
		return step_big(g, set, c);
	for (; bits != 0; bits &= bits - 1) {
		size_t to = next_of(g, (size_t)__builtin_ctzll(bits), c);

		if (to != NOWHERE)
			next |= g->reach[to];
	}
	set[0] = next;
	return next != 0;
}

/* The states after PATH.  False if there is none. */
static bool
run(const struct glob *g, uint64_t *set, const char *path, size_t len)
{
	bool anywhere = !g->anchored && g->begins_anywhere;
	bool alive = true;
	size_t i;

	memset(set, 0, (g->n / 64 + 1) * sizeof(set[0]));
	add(g, set, 0);
	for (i = 0; i < len && (alive || anywhere); i++) {
		/* Where nothing is under way, the next component counts. */
		if (!alive) {
			const char *slash = memchr(path + i, '/', len - i);

			if (slash == NULL)
				return false;
			i = (size_t)(slash - path);
		}
		alive = step(g, set, (uint8_t)path[i]);
		if (anywhere && path[i] == '/') {
			add(g, set, 0);
			alive = true;
		}
	}
	return alive;
}

static bool
has(const uint64_t *set, size_t i)
{
	return (set[i / 64] >> i % 64 & 1) != 0;
}

bool
glob_matches(const struct glob *g, const char *path, size_t len)
{
	uint64_t set[WORDS_MAX + 1];

	if (len == 0 || (g->last != -1 && (uint8_t)path[len - 1] != g->last))
		return false;
	if (!g->anchored && !g->begins_anywhere) {
		unsigned slashes = g->slashes;
		size_t from = len;

		while (from > 0 && (path[from - 1] != '/' || slashes-- > 0))
			from--;
		path += from;
		len -= from;
	}
	return run(g, set, path, len) && has(set, g->n - 1);
}

bool
glob_covers(const struct glob *g, const char *path, size_t len)
{
	uint64_t set[WORDS_MAX + 1];

	/* Only what ends in ** does: it is the state before OP_MATCH. */
	if (g->states[g->n - 2].op != OP_DEEP || g->dirs_only)
		return false;
	run(g, set, path, len);
	return step(g, set, '/') && has(set, g->n - 2);
}

bool
glob_reaches_into(const struct glob *g, const char *path, size_t len)
{
	uint64_t set[WORDS_MAX + 1];

	if (!g->anchored || len == 0)
		return true;
	return run(g, set, path, len) && step(g, set, '/');
}
