/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/events/number.h"

#define DIGITS_MAX 40	     /* more than any double needs */
#define EXPONENT_MAX 1000000 /* far beyond any double's */

/* DIGITS * 10^EXPONENT, without zeros at either end; none at all: 0. */
struct decimal {
	char digits[DIGITS_MAX];
	size_t n;
	long exponent;
	bool negative;
};

/* False if it has more digits than any double's text. */
static bool
decimal_of(const char *s, size_t len, struct decimal *d)
{
	bool fraction = false, minus;
	size_t zeros = 0, i;
	long e = 0;

	*d = (struct decimal){.negative = s[0] == '-'};
	for (i = d->negative; i < len && s[i] != 'e' && s[i] != 'E'; i++) {
		if (s[i] == '.') {
			fraction = true;
			continue;
		}
		d->exponent -= fraction;
		if (s[i] == '0') {
			zeros += d->n > 0;
			continue;
		}
		if (d->n + zeros >= DIGITS_MAX)
			return false;
		memset(d->digits + d->n, '0', zeros);
		d->n += zeros;
		d->digits[d->n++] = s[i];
		zeros = 0;
	}
	if (i < len)
		i++;
	minus = i < len && s[i] == '-';
	for (; i < len; i++)
		if (s[i] >= '0' && s[i] <= '9' && e < EXPONENT_MAX)
			e = e * 10 + (s[i] - '0');
	d->exponent += (minus ? -e : e) + (long)zeros;
	if (d->n == 0)
		*d = (struct decimal){.n = 0};
	return true;
}

static bool
decimal_same(const struct decimal *a, const struct decimal *b)
{
	return a->negative == b->negative && a->exponent == b->exponent &&
	    a->n == b->n && memcmp(a->digits, b->digits, a->n) == 0;
}

/* The shortest text that V is read from again. */
static void
shortest(double v, char *out, size_t size)
{
	int precision;

	for (precision = 1; precision <= 17; precision++) {
		snprintf(out, size, "%.*e", precision - 1, v);
		if (strtod(out, NULL) == v)
			return;
	}
}

struct number
number_of(const char *text, size_t len)
{
	struct number n = {.text = text, .len = len};
	struct decimal written, read;
	char copy[400];
	double v;

	/* What is longer is compared as text; so is what has more digits. */
	if (len >= sizeof(copy) || !decimal_of(text, len, &written))
		return n;
	memcpy(copy, text, len);
	copy[len] = '\0';
	v = strtod(copy, NULL);
	if (!isfinite(v))
		return n;
	shortest(v, copy, sizeof(copy));
	if (!decimal_of(copy, strlen(copy), &read))
		return n;
	n.exact = decimal_same(&written, &read);
	n.value = v == 0 ? 0 : v; /* there is but one zero */
	return n;
}

bool
number_same(const struct number *a, const struct number *b)
{
	if (a->len == b->len && memcmp(a->text, b->text, a->len) == 0)
		return true;
	return a->exact && b->exact && a->value == b->value;
}
