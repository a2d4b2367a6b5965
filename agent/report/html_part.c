/* SPDX-License-Identifier: ISC */
#include "config.h"

#include <inttypes.h>

#include "agent/report/html.h"
#include "base/text.h"

#define PLOT_WIDTH 800
#define PLOT_HEIGHT 160

void
html_text(struct buf *out, const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		switch (s[i]) {
		case '&':
			buf_adds(out, "&amp;");
			break;
		case '<':
			buf_adds(out, "&lt;");
			break;
		case '>':
			buf_adds(out, "&gt;");
			break;
		case '"':
			buf_adds(out, "&quot;");
			break;
		case '\'':
			buf_adds(out, "&#39;");
			break;
		default:
			buf_addc(out, s[i]);
			break;
		}
	}
}

void
html_name(struct buf *out, struct buf *scratch, const char *name, size_t n)
{
	buf_reset(scratch);
	text_escape(scratch, name, n);
	html_text(out, buf_str(scratch), scratch->len);
}

void
histogram_make(const uint64_t sizes[65], struct histogram out[HISTOGRAM_BARS])
{
	/* [n]: the first class of sizes that is too big for bar n. */
	static const unsigned ends[HISTOGRAM_BARS] = {
	    1, 11, 15, 19, 23, 27, 31, 65};
	static const char *const labels[HISTOGRAM_BARS] = {"empty",
	    "below 1 KiB", "below 16 KiB", "below 256 KiB", "below 4 MiB",
	    "below 64 MiB", "below 1 GiB", "1 GiB or more"};
	unsigned bar, n = 0;

	for (bar = 0; bar < HISTOGRAM_BARS; bar++) {
		out[bar] = (struct histogram){.label = labels[bar]};
		for (; n < ends[bar]; n++)
			out[bar].files += sizes[n];
	}
}

static uint64_t
rate_at(const struct series *s, unsigned i)
{
	uint64_t before = i > 0 ? s->at[i - 1].bytes : 0;
	uint64_t bytes = s->at[i].bytes > before ? s->at[i].bytes - before : 0;

	return bytes * 1000 / s->step_ms;
}

void
html_plot(struct buf *out, const struct series *s)
{
	uint64_t most = 1;
	char size[24], time[24];
	unsigned i;

	if (s->n < 2)
		return;
	for (i = 0; i < s->n; i++)
		if (rate_at(s, i) > most)
			most = rate_at(s, i);
	buf_addf(out,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\""
	    " viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\">"
	    "<title>Bytes sent a second</title><polyline points=\"",
	    PLOT_WIDTH, PLOT_HEIGHT);
	for (i = 0; i < s->n; i++)
		buf_addf(out, "%s%u,%" PRIu64, i > 0 ? " " : "",
		    i * PLOT_WIDTH / (s->n - 1),
		    PLOT_HEIGHT -
			(uint64_t)((double)rate_at(s, i) / (double)most *
				PLOT_HEIGHT +
			    0.5));
	buf_addf(out,
	    "\"/></svg><p>Highest: %s a second. From the beginning to %s "
	    "later.</p>\n",
	    text_size(most, size, sizeof(size)),
	    text_duration(s->n * s->step_ms, time, sizeof(time)));
}
