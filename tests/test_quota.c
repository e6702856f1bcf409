/* SPDX-License-Identifier: MIT */
/* test_quota.c - the default number of Ps, from made-up control groups. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sys.h"
#include "sched/cpus.h"
#include "sched/quota.h"

#include "tests/test.h"

#define FILES 8

/* mountinfo, as the kernel writes it. */
#define MOUNT_V1(part, where)                                        \
	"30 23 0:28 / /sys rw,relatime shared:7 - sysfs sysfs rw\n"  \
	"32 31 0:29 " part " " where " rw,nosuid shared:9 master:3 " \
	"- cgroup cgroup rw,cpu,cpuacct\n"                           \
	"33 31 0:30 / /other rw - cgroup cgroup rw,cpuset\n"
#define MOUNT_V2(part, where)                      \
	"22 1 8:1 / / rw - ext4 /dev/sda rw\n"     \
	"29 22 0:26 " part " " where " rw,nosuid " \
	"- cgroup2 cgroup2 rw,nsdelegate\n"

struct tree {
	const char *what;
	const char *mounts, *groups; /* null: there is no such file */
	struct {
		const char *path, *text;
	} files[FILES];
	int64_t quota;
};

static const struct tree trees[] = {
	{ "no /proc", NULL, NULL, { { 0 } }, QUOTA_NONE },
	{ "no groups", MOUNT_V2("/", "/cg"), NULL,
	    { { "/cg/cpu.max", "1000 1000\n" } }, QUOTA_NONE },
	{ "no mounts", NULL, "0::/\n", { { 0 } }, QUOTA_NONE },
	{ "empty files", "", "", { { 0 } }, QUOTA_NONE },
	{ "v2", MOUNT_V2("/", "/cg"), "0::/a\n",
	    { { "/cg/a/cpu.max", "150000 100000\n" } }, 1500 },
	{ "v2, none", MOUNT_V2("/", "/cg"), "0::/a\n",
	    { { "/cg/a/cpu.max", "max 100000\n" } }, QUOTA_NONE },
	{ "v2, the group above has less", MOUNT_V2("/", "/cg"), "0::/a/b/c\n",
	    { { "/cg/a/b/c/cpu.max", "300000 100000\n" },
		{ "/cg/a/b/cpu.max", "max 100000\n" },
		{ "/cg/a/cpu.max", "50000 20000\n" } },
	    2500 },
	{ "v2, the group below has less", MOUNT_V2("/", "/cg"), "0::/a/b\n",
	    { { "/cg/a/b/cpu.max", "70000 100000\n" },
		{ "/cg/a/cpu.max", "400000 100000\n" } },
	    700 },
	{ "v2, the mounted root counts", MOUNT_V2("/", "/cg"), "0::/a\n",
	    { { "/cg/a/cpu.max", "max 100000\n" },
		{ "/cg/cpu.max", "400000 100000\n" } },
	    4000 },
	{ "v2, in a namespace of its own", MOUNT_V2("/", "/cg"), "0::/\n",
	    { { "/cg/cpu.max", "200000 100000\n" } }, 2000 },
	{ "what is above the mount is not ours", MOUNT_V2("/", "/x/cg"),
	    "0::/a\n", { { "/x/cpu.max", "1000 1000\n" } }, QUOTA_NONE },
	{ "the path is the host's and is not there",
	    MOUNT_V2("/", "/cg"), "0::/host/docker/123\n",
	    { { "/cg/cpu.max", "250000 100000\n" } }, 2500 },
	{ "a part is mounted, and we are below it",
	    MOUNT_V2("/docker/123", "/cg"), "0::/docker/123/app\n",
	    { { "/cg/app/cpu.max", "100000 100000\n" } }, 1000 },
	{ "a part is mounted, and we are it", MOUNT_V2("/docker/123", "/cg"),
	    "0::/docker/123\n", { { "/cg/cpu.max", "100000 100000\n" } },
	    1000 },
	{ "another's part is mounted", MOUNT_V2("/docker/12", "/cg"),
	    "0::/docker/123\n",
	    { { "/cg/cpu.max", "100000 100000\n" },
		{ "/cg3/cpu.max", "100000 100000\n" } },
	    QUOTA_NONE },
	{ "mounted before the namespace was made",
	    MOUNT_V2("/../..", "/cg"), "0::/a\n",
	    { { "/cg/cpu.max", "100000 100000\n" },
		{ "/cg/a/cpu.max", "1 1000\n" } },
	    1000 },
	{ "a group outside the namespace", MOUNT_V2("/", "/cg/x"),
	    "0::/../a\n",
	    { { "/cg/x/cpu.max", "300000 100000\n" },
		{ "/cg/a/cpu.max", "1 1000\n" },
		{ "/cg/cpu.max", "1 1000\n" } },
	    3000 },
	{ "a group that is gone", MOUNT_V2("/", "/cg"), "0::/a/b (deleted)\n",
	    { { "/cg/a/cpu.max", "100000 100000\n" } }, 1000 },
	{ "a mount with a blank", MOUNT_V2("/", "/c\\040g"), "0::/a:b\n",
	    { { "/c g/a:b/cpu.max", "100000 100000\n" } }, 1000 },
	{ "v1", MOUNT_V1("/", "/cg/cpu"), "4:memory:/m\n3:cpu,cpuacct:/a\n",
	    { { "/cg/cpu/a/cpu.cfs_quota_us", "150000\n" },
		{ "/cg/cpu/a/cpu.cfs_period_us", "100000\n" } },
	    1500 },
	{ "v1, none", MOUNT_V1("/", "/cg/cpu"), "3:cpuacct,cpu:/a\n",
	    { { "/cg/cpu/a/cpu.cfs_quota_us", "-1\n" },
		{ "/cg/cpu/a/cpu.cfs_period_us", "100000\n" } },
	    QUOTA_NONE },
	{ "v1, the group above has less", MOUNT_V1("/", "/cg/cpu"),
	    "3:cpu:/a/b\n",
	    { { "/cg/cpu/a/b/cpu.cfs_quota_us", "300000\n" },
		{ "/cg/cpu/a/b/cpu.cfs_period_us", "100000\n" },
		{ "/cg/cpu/a/cpu.cfs_quota_us", "500\n" },
		{ "/cg/cpu/a/cpu.cfs_period_us", "1000\n" } },
	    500 },
	{ "v1, no period", MOUNT_V1("/", "/cg/cpu"), "3:cpu:/a\n",
	    { { "/cg/cpu/a/cpu.cfs_quota_us", "150000\n" } }, QUOTA_NONE },
	{ "v1, only of other kinds", MOUNT_V1("/", "/cg/cpu"),
	    "3:cpuset,cpuacct:/a\n",
	    { { "/cg/cpu/a/cpu.cfs_quota_us", "150000\n" },
		{ "/cg/cpu/a/cpu.cfs_period_us", "100000\n" } },
	    QUOTA_NONE },
	{ "hybrid: the quota is v1's", MOUNT_V1("/", "/cg/cpu")
	    MOUNT_V2("/", "/cg/unified"), "3:cpu:/a\n0::/b\n",
	    { { "/cg/cpu/a/cpu.cfs_quota_us", "150000\n" },
		{ "/cg/cpu/a/cpu.cfs_period_us", "100000\n" },
		{ "/cg/unified/b/cgroup.procs", "1\n" } },
	    1500 },
	{ "hybrid: both say something", MOUNT_V1("/", "/cg/cpu")
	    MOUNT_V2("/", "/cg/unified"), "3:cpu:/a\n0::/b\n",
	    { { "/cg/cpu/a/cpu.cfs_quota_us", "150000\n" },
		{ "/cg/cpu/a/cpu.cfs_period_us", "100000\n" },
		{ "/cg/unified/b/cpu.max", "120000 100000\n" } },
	    1200 },
	{ "a quota is rounded up", MOUNT_V2("/", "/cg"), "0::/\n",
	    { { "/cg/cpu.max", "200001 100000\n" } }, 2001 },
	{ "a huge quota", MOUNT_V2("/", "/cg"), "0::/\n",
	    { { "/cg/cpu.max", "99999999999999999999 1000000\n" } },
	    9223372036855 },
	{ "nonsense", MOUNT_V2("/", "/cg"), "0::/a\n",
	    { { "/cg/a/cpu.max", "lots of it\n" },
		{ "/cg/cpu.max", "100000 100000\n" } },
	    1000 },
	{ "zeros", MOUNT_V2("/", "/cg"), "0::/a/b\n",
	    { { "/cg/a/b/cpu.max", "0 100000\n" },
		{ "/cg/a/cpu.max", "100000 0\n" }, { "/cg/cpu.max", "" } },
	    QUOTA_NONE },
	{ "broken lines", "29\n - \n - cgroup2\n1 2 - cgroup2 x y\n"
	    MOUNT_V2("/", "/cg"), "\n0:\nx\n0::/a\n",
	    { { "/cg/a/cpu.max", "100000 100000\n" } }, 1000 },
	{ "no end of line", "1 1 0:1 / /cg rw - cgroup2 none rw\n", "0::/a\n",
	    { { "/cg/a/cpu.max", "100000 100000" } }, 1000 },
};

static void put(const char *root, const char *path, const char *text)
{
	char name[6000];
	FILE *f;

	(void)snprintf(name, sizeof(name), "%s%s", root, path);
	for (char *s = name + strlen(root) + 1; (s = strchr(s, '/')); s++) {
		*s = '\0';
		(void)mkdir(name, 0755);
		*s = '/';
	}
	f = fopen(name, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void new_root(char *root)
{
	strcpy(root, "/tmp/gamp-quota-XXXXXX");
	assert_non_null(mkdtemp(root));
}

static void drop(const char *root)
{
	char command[100];

	(void)snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

static void the_smallest_quota_on_the_way_up_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(trees); i++) {
		const struct tree *t = &trees[i];
		char root[100];
		int64_t quota;

		new_root(root);
		if (t->mounts)
			put(root, "/proc/self/mountinfo", t->mounts);
		if (t->groups)
			put(root, "/proc/self/cgroup", t->groups);
		for (int k = 0; k < FILES && t->files[k].path; k++)
			put(root, t->files[k].path, t->files[k].text);
		quota = quota_read(root);
		drop(root);
		if (quota != t->quota)
			fail_msg("%s: %lld, not %lld", t->what,
			    (long long)quota, (long long)t->quota);
	}
}

/* A hundred groups deep, and one that no buffer holds. */
static void a_deep_group_is_limited_from_above(void **state)
{
	static const int steps[] = { 5, 100, 300 };
	char root[100], group[2000] = "0::", file[100];

	(void)state;
	for (size_t i = 0; i < LEN(steps); i++) {
		new_root(root);
		group[3] = '\0';
		for (int k = 0; k < steps[i]; k++)
			strcat(group, "/abcd");
		put(root, "/proc/self/cgroup", group);
		put(root, "/proc/self/mountinfo", MOUNT_V2("/", "/cg"));
		(void)snprintf(file, sizeof(file), "/cg%.10s/cpu.max",
		    group + 3);
		put(root, file, "130000 100000");
		/* The line has no end: as if it were not there. */
		assert_int_equal(quota_read(root), QUOTA_NONE);
		strcat(group, "\n");
		put(root, "/proc/self/cgroup", group);
		assert_int_equal(quota_read(root), 1300);
		drop(root);
	}
}

/* Thousands of mounts before ours; some have lines that no buffer holds. */
static void a_long_list_of_mounts_is_read_to_its_end(void **state)
{
	char root[100], line[10000];
	FILE *f;

	(void)state;
	new_root(root);
	put(root, "/proc/self/cgroup", "0::/\n");
	put(root, "/cg/cpu.max", "130000 100000\n");
	put(root, "/proc/self/mountinfo", "");
	(void)snprintf(line, sizeof(line), "%s/proc/self/mountinfo", root);
	f = fopen(line, "w");
	assert_non_null(f);
	memset(line, 'x', sizeof(line));
	for (int i = 0; i < 3000; i++)
		(void)fprintf(f, "%d 1 0:9 / /%.*s rw - overlay none rw\n", i,
		    i % 100 == 0 ? 9999 : i % 200, line);
	(void)fputs(MOUNT_V2("/", "/cg"), f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(quota_read(root), 1300);
	drop(root);
}

static void a_quota_is_rounded_up_to_at_least_two(void **state)
{
	static const struct {
		uint32_t allowed;
		int64_t quota;
		uint32_t procs;
	} rows[] = {
		{ 0, QUOTA_NONE, 1 },
		{ 1, QUOTA_NONE, 1 },
		{ 8, QUOTA_NONE, 8 },
		{ 5000, QUOTA_NONE, 1024 },
		{ 8, 1, 2 },
		{ 8, 1000, 2 },
		{ 8, 1500, 2 },
		{ 8, 2000, 2 },
		{ 8, 2001, 3 },
		{ 8, 7900, 8 },
		{ 8, 64000, 8 },
		{ 2, 100, 2 },
		{ 1, 1500, 1 },
		{ 8192, INT64_MAX / 2, 1024 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		assert_int_equal(quota_round(rows[i].allowed, rows[i].quota),
		    rows[i].procs);
}

static void *procs_on_one(void *arg)
{
	struct cpus all, one;

	(void)cpus_get(&all);
	cpus_only(&one, cpus_next(&all, 0));
	if (cpus_set(&one) == 0)
		*(int *)arg = quota_procs();
	return NULL;
}

static void with_one_processor_there_is_one_p(void **state)
{
	pthread_t t;
	int n = 0;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, procs_on_one, &n), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(n, 1);
}

static void this_machine_gives_a_number(void **state)
{
	int64_t best = NEVER;
	struct cpus all;
	int n = 0;

	(void)state;
	assert_true(cpus_get(&all));
	for (int i = 0; i < 50; i++) {
		int64_t from = clock_real();

		n = quota_procs();
		(void)quota_read("");
		if (clock_real() - from < best)
			best = clock_real() - from;
	}
	print_message("%d Ps, found in %lld us\n", n,
	    (long long)(best / NS_PER_US));
	assert_in_range(n, 1, cpus_count(&all));
	assert_true(best < 20 * NS_PER_MS); /* of thousands of mounts */
}

static void sets_of_processors_may_be_large(void **state)
{
	struct cpus c, one;

	(void)state;
	assert_true(cpus_parse(&c, "0-3,8,2000-2001,16383\n"));
	assert_int_equal(cpus_count(&c), 8);
	assert_int_equal(cpus_nth(&c, 4), 8);
	assert_int_equal(cpus_nth(&c, 6), 2001);
	assert_int_equal(cpus_nth(&c, 7), 16383);
	assert_int_equal(cpus_nth(&c, 8), 0);
	assert_int_equal(cpus_next(&c, 9), 2000);
	cpus_only(&one, 2001);
	assert_int_equal(cpus_count(&one), 1);
	assert_true(cpus_meet(&one, &c));
	cpus_only(&one, 2002);
	assert_false(cpus_meet(&one, &c));
	assert_true(cpus_parse(&c, ""));
	assert_int_equal(cpus_nth(&c, 3), -1);
	assert_false(cpus_parse(&c, "16384"));
	assert_false(cpus_parse(&c, "1-"));
	assert_false(cpus_parse(&c, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_smallest_quota_on_the_way_up_counts),
		TEST(a_deep_group_is_limited_from_above),
		TEST(a_long_list_of_mounts_is_read_to_its_end),
		TEST(a_quota_is_rounded_up_to_at_least_two),
		TEST(with_one_processor_there_is_one_p),
		TEST(this_machine_gives_a_number),
		TEST(sets_of_processors_may_be_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
