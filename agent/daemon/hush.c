/* SPDX-License-Identifier: ISC */
#include "config.h"

#include "agent/daemon/hush.h"

#define MINUTE_MS 60000

bool
hush_lets(struct hush *h, uint64_t now_ms, unsigned *left_out)
{
	if (h->lines == 0 || now_ms - h->since_ms >= MINUTE_MS) {
		h->since_ms = now_ms;
		h->lines = 0;
	}
	if (h->lines == HUSH_LINES) {
		h->left_out++;
		return false;
	}
	h->lines++;
	*left_out = h->left_out;
	h->left_out = 0;
	return true;
}
