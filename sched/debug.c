/* SPDX-License-Identifier: MIT */
/* debug.c - see debug.h. */

#include <stdlib.h>
#include <string.h>

#include "sched/debug.h"

#define NUMBER_MAX INT64_C(1000000000)

const char *debug_value(const char *name, size_t *len)
{
	const char *s = secure_getenv("GAMP_DEBUG");
	size_t n = strlen(name);

	while (s && *s) {
		size_t word = strcspn(s, ",");

		if (word > n && strncmp(s, name, n) == 0 && s[n] == '=') {
			*len = word - n - 1;
			return s + n + 1;
		}
		s += word;
		s += *s == ',';
	}
	return NULL;
}

bool debug_is(const char *name, const char *value)
{
	size_t len = 0;
	const char *s = debug_value(name, &len);

	return s && len == strlen(value) && strncmp(s, value, len) == 0;
}

int64_t debug_number(const char *name)
{
	size_t len = 0;
	const char *s = debug_value(name, &len);
	int64_t n = 0;

	for (size_t i = 0; s && i < len; i++) {
		if (s[i] < '0' || s[i] > '9' || n > NUMBER_MAX)
			return 0;
		n = 10 * n + (s[i] - '0');
	}
	return n;
}
