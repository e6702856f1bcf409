/* SPDX-License-Identifier: MIT */
/* quota.c - see quota.h. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "sched/cpus.h"
#include "sched/quota.h"
#include "sched/sched.h"

#define LINE_SIZE 4096 /* bytes: longer lines are passed over */
#define PATH_SIZE 1024 /* longer ones are cut: the groups above count */
#define NAME_SIZE (PATH_SIZE + 32)
#define FILE_SIZE 64 /* two numbers */
#define QUOTA_MAX (INT64_MAX / 1000 - 1)

/* A file, line by line. */
struct lines {
	int fd;
	size_t at, end; /* what is left in buf */
	char buf[LINE_SIZE];
};

static bool fill(struct lines *l)
{
	int64_t n;

	memmove(l->buf, l->buf + l->at, l->end - l->at);
	l->end -= l->at;
	l->at = 0;
	n = sys_read(l->fd, l->buf + l->end, sizeof(l->buf) - l->end);
	if (n <= 0)
		return false;
	l->end += (size_t)n;
	return true;
}

/* The next line, null at the end.  It lasts until the one after it. */
static char *next_line(struct lines *l)
{
	bool skip = false;

	for (;;) {
		char *line = l->buf + l->at;
		char *end = memchr(line, '\n', l->end - l->at);

		if (end) {
			*end = '\0';
			l->at = (size_t)(end - l->buf) + 1;
			if (!skip)
				return line;
			skip = false;
		} else if (l->at == 0 && l->end == sizeof(l->buf)) {
			l->end = 0; /* no room for it */
			skip = true;
		} else if (!fill(l)) {
			return NULL;
		}
	}
}

static bool open_lines(struct lines *l, const char *root, const char *path)
{
	char name[NAME_SIZE];

	l->at = l->end = 0;
	(void)snprintf(name, sizeof(name), "%s%s", root, path);
	l->fd = sys_open(name);
	return l->fd >= 0;
}

/* Is word among those that commas separate? */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (;;) {
		if (strncmp(list, word, n) == 0 &&
		    (list[n] == ',' || list[n] == '\0'))
			return true;
		list = strchr(list, ',');
		if (!list)
			return false;
		list++;
	}
}

/* a and b as one path; if there is no room, one above it. */
static void join(char *to, const char *a, const char *b)
{
	char *slash;

	if (snprintf(to, PATH_SIZE, "%s%s", a, b) < PATH_SIZE)
		return;
	slash = strrchr(to, '/');
	if (slash)
		*slash = '\0';
}

/* Our group in one hierarchy; empty: we are in none. */
struct group_paths {
	char v1[PATH_SIZE], v2[PATH_SIZE];
};

/* Lines like "4:cpu,cpuacct:/a/b"; version 2 has "0::/a/b". */
static void read_groups(const char *root, struct group_paths *out)
{
	struct lines l;
	char *line;

	out->v1[0] = out->v2[0] = '\0';
	if (!open_lines(&l, root, "/proc/self/cgroup"))
		return;
	while ((line = next_line(&l))) {
		char *list = strchr(line, ':');
		char *path = list ? strchr(list + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		list++;
		if (*list == '\0')
			join(out->v2, path, "");
		else if (has_word(list, "cpu"))
			join(out->v1, path, "");
	}
	sys_close(l.fd);
}

/* A whole number up to QUOTA_MAX, after blanks; *s goes behind it. */
static bool number(const char **s, int64_t *n)
{
	char *end;

	while (**s == ' ' || **s == '\n')
		(*s)++;
	if (**s < '0' || **s > '9')
		return false;
	*n = strtoll(*s, &end, 10);
	if (*n > QUOTA_MAX)
		*n = QUOTA_MAX;
	*s = end;
	return true;
}

/* The file's text and a terminator into buf of FILE_SIZE. */
static bool read_text(const char *dir, const char *file, char *buf)
{
	char name[NAME_SIZE];

	(void)snprintf(name, sizeof(name), "%s/%s", dir, file);
	return sys_read_file(name, buf, FILE_SIZE) >= 0;
}

static int64_t in_thousandths(int64_t quota, int64_t period)
{
	if (quota <= 0 || period <= 0)
		return QUOTA_NONE;
	return (quota * 1000 - 1) / period + 1;
}

static int64_t quota_v1(const char *dir)
{
	char buf[2][FILE_SIZE];
	const char *q = buf[0], *p = buf[1];
	int64_t quota, period;

	if (!read_text(dir, "cpu.cfs_quota_us", buf[0]) ||
	    !read_text(dir, "cpu.cfs_period_us", buf[1]) ||
	    !number(&q, &quota) || !number(&p, &period)) /* -1: none */
		return QUOTA_NONE;
	return in_thousandths(quota, period);
}

static int64_t quota_v2(const char *dir)
{
	char buf[FILE_SIZE];
	const char *s = buf;
	int64_t quota, period;

	if (!read_text(dir, "cpu.max", buf) || !number(&s, &quota) ||
	    !number(&s, &period)) /* "max 100000": none */
		return QUOTA_NONE;
	return in_thousandths(quota, period);
}

static int64_t smaller(int64_t a, int64_t b)
{
	if (a == QUOTA_NONE || b == QUOTA_NONE)
		return a == QUOTA_NONE ? b : a;
	return a < b ? a : b;
}

/* From dir up, not above its first `keep` bytes; dir is cut short. */
static int64_t climb(char *dir, size_t keep, int64_t (*quota)(const char *))
{
	int64_t least = quota(dir);
	char *slash;

	while ((slash = strrchr(dir, '/')) && slash >= dir + keep) {
		*slash = '\0';
		if (slash[1] != '\0') /* else it was the same directory */
			least = smaller(least, quota(dir));
	}
	return least;
}

/* Nothing but steps up: what is mounted holds all that we see. */
static bool only_up(const char *path)
{
	while (strncmp(path, "/..", 3) == 0)
		path += 3;
	return *path == '\0';
}

/* The part of our path below what is mounted, null if that is not ours. */
static const char *below(const char *path, const char *mounted)
{
	size_t n = strcmp(mounted, "/") == 0 ? 0 : strlen(mounted);

	if (*path == '\0')
		return NULL;
	if (only_up(mounted))
		return "";
	if (strncmp(path, mounted, n) != 0 ||
	    (path[n] != '/' && path[n] != '\0'))
		return NULL;
	path += n;
	return strstr(path, "/../") || only_up(path) ? "" : path;
}

/* "\040" and the like, in place. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' &&
		    s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 |
			    (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/*
 * A line: id, parent, device, the part that is mounted, where, options, any
 * number of tags, "-", the kind of file system, its source, more options.
 */
static int64_t quota_of_mount(
    char *line, const char *root, const struct group_paths *groups)
{
	char *field[5], *rest, *kind, *options;
	char mount[PATH_SIZE], dir[PATH_SIZE];
	const char *path;
	bool v2;

	rest = strstr(line, " - ");
	if (!rest)
		return QUOTA_NONE;
	*rest = '\0';
	kind = strtok_r(rest + 3, " ", &rest);
	v2 = kind && strcmp(kind, "cgroup2") == 0;
	if (!v2 && (!kind || strcmp(kind, "cgroup") != 0))
		return QUOTA_NONE;
	(void)strtok_r(NULL, " ", &rest);
	options = strtok_r(NULL, " ", &rest);
	if (!v2 && (!options || !has_word(options, "cpu")))
		return QUOTA_NONE;
	for (int i = 0; i < 5; i++) {
		field[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
		if (!field[i])
			return QUOTA_NONE;
	}
	unescape(field[3]);
	unescape(field[4]);
	path = below(v2 ? groups->v2 : groups->v1, field[3]);
	if (!path)
		return QUOTA_NONE;
	if (snprintf(mount, PATH_SIZE, "%s%s", root, field[4]) >= PATH_SIZE)
		return QUOTA_NONE;
	join(dir, mount, path);
	return climb(dir, strlen(mount), v2 ? quota_v2 : quota_v1);
}

int64_t quota_read(const char *root)
{
	struct group_paths groups;
	int64_t least = QUOTA_NONE;
	struct lines l;
	char *line;

	read_groups(root, &groups);
	if ((!groups.v1[0] && !groups.v2[0]) ||
	    !open_lines(&l, root, "/proc/self/mountinfo"))
		return QUOTA_NONE;
	while ((line = next_line(&l)))
		least = smaller(least, quota_of_mount(line, root, &groups));
	sys_close(l.fd);
	return least;
}

uint32_t quota_round(uint32_t allowed, int64_t quota)
{
	int64_t n = quota == QUOTA_NONE ? PROCS_MAX : (quota + 999) / 1000;

	if (n < 2)
		n = 2;
	if (n > allowed)
		n = allowed;
	return n < 1 ? 1 : n > PROCS_MAX ? PROCS_MAX : (uint32_t)n;
}

int quota_procs(void)
{
	struct cpus c;
	uint32_t allowed = cpus_get(&c) ? cpus_count(&c) : 1;

	/* Up to two are used whatever the quota: small machines do not pay. */
	return (int)quota_round(
	    allowed, allowed > 2 ? quota_read("") : QUOTA_NONE);
}
