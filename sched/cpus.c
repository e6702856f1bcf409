/* SPDX-License-Identifier: MIT */
/* cpus.c - see cpus.h. */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sched/cpus.h"

#define SIZE sizeof(struct cpus)

bool cpus_get(struct cpus *c)
{
	memset(c, 0, SIZE);
	return sched_getaffinity(0, SIZE, c->set) == 0;
}

int cpus_set(const struct cpus *c)
{
	return sched_setaffinity(0, SIZE, c->set) < 0 ? -errno : 0;
}

uint32_t cpus_count(const struct cpus *c)
{
	return (uint32_t)CPU_COUNT_S(SIZE, c->set);
}

int cpus_next(const struct cpus *c, int cpu)
{
	for (; cpu < CPUS_MAX; cpu++)
		if (CPU_ISSET_S((size_t)cpu, SIZE, c->set))
			return cpu;
	return -1;
}

int cpus_nth(const struct cpus *c, uint32_t i)
{
	uint32_t n = cpus_count(c);
	int cpu = cpus_next(c, 0);

	if (n == 0)
		return -1;
	for (i %= n; i > 0; i--)
		cpu = cpus_next(c, cpu + 1);
	return cpu;
}

void cpus_only(struct cpus *c, int cpu)
{
	memset(c, 0, SIZE);
	CPU_SET_S((size_t)cpu, SIZE, c->set);
}

bool cpus_meet(const struct cpus *a, const struct cpus *b)
{
	struct cpus both;

	CPU_AND_S(SIZE, both.set, a->set, b->set);
	return cpus_count(&both) > 0;
}

/* Decimal digits, below CPUS_MAX. */
static bool number(const char **s, unsigned long *n)
{
	char *end;

	if (!isdigit((unsigned char)**s))
		return false;
	*n = strtoul(*s, &end, 10);
	*s = end;
	return *n < CPUS_MAX;
}

bool cpus_parse(struct cpus *c, const char *s)
{
	memset(c, 0, SIZE);
	while (*s && *s != '\n') {
		unsigned long from, to;

		if (!number(&s, &from))
			return false;
		to = from;
		if (*s == '-') {
			s++;
			if (!number(&s, &to))
				return false;
		}
		for (; from <= to; from++)
			CPU_SET_S(from, SIZE, c->set);
		if (*s == ',')
			s++;
	}
	return true;
}
