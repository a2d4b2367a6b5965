/* SPDX-License-Identifier: ISC */
/* Text for people and machines: sizes, durations, odd names, hex, base64. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Appends NAME so that it is safe on a terminal and unambiguous: valid
 * printable UTF-8 as it is, control bytes, backslash and invalid bytes as
 * \n, \t, \\ or \xHH.
 */
void text_escape(struct buf *out, const char *name, size_t n);
/* The same into OUT, cut with "..." if it doesn't fit; returns OUT. */
const char *text_escaped(const char *name, size_t n, char *out, size_t size);

/* Appends S with all bytes but letters, digits, "-._~" and those of KEEP as
 * %XX (RFC 3986). */
void text_percent(struct buf *out, const char *s, size_t n, const char *keep);

/* As memcmp; what the other begins with comes first.  SQLite orders so, too.
 * What has no bytes may be NULL. */
int text_compare(const char *a, size_t a_len, const char *b, size_t b_len);

/* Length of the valid UTF-8 sequence (RFC 3629) that S begins with; 0: none. */
size_t text_utf8_length(const char *s, size_t n);
bool text_is_utf8(const char *s, size_t n);

/*
 * "64M" -> bytes.  K, M, G, T, P (with or without iB or B) are powers of
 * 1024; without a suffix the number is multiplied by UNIT.  Digits with a
 * fraction are allowed ("1.5G").  ERR_USAGE names the text.
 */
int text_parse_size(const char *s, uint64_t unit, uint64_t *out, struct err *e);
/* "90", "90s", "15m", "1h30m", "2d", "250ms" -> milliseconds. */
int text_parse_duration(const char *s, uint64_t *ms, struct err *e);
/* "2026-11-23", "2026-11-23T08:00:00Z", "now", or how long before NOW_MS it is,
 * "2h" -> milliseconds since 1970. */
int text_parse_when(
    const char *s, int64_t now_ms, int64_t *wall_ms, struct err *e);
/* A decimal number in MIN..MAX; ERR_USAGE names the text and the range. */
int text_parse_uint(
    const char *s, uint64_t min, uint64_t max, uint64_t *out, struct err *e);

/* 1536 -> "1.5 KiB"; OUT of 16 bytes or more.  Returns OUT. */
const char *text_size(uint64_t bytes, char *out, size_t size);
/* 3725000 -> "1h02m05s"; 4200 -> "4.2s".  Returns OUT. */
const char *text_duration(uint64_t ms, char *out, size_t size);
/* 1234567 -> "1,234,567".  Returns OUT. */
const char *text_count(uint64_t n, char *out, size_t size);

/* Lower-case hex of N bytes into OUT (2 N + 1 bytes). */
void text_hex(const void *p, size_t n, char *out);
/* Hex back to N bytes; false if it is not exactly 2 N hex digits. */
bool text_unhex(const char *hex, size_t len, void *out, size_t n);
/* RFC 4648 base64 with padding into OUT (4 * ((N + 2) / 3) + 1 bytes). */
void text_base64(const void *p, size_t n, char *out);
/* Base64 back; false unless it is exactly N bytes. */
bool text_unbase64(const char *s, size_t len, void *out, size_t n);

#endif
