/* SPDX-License-Identifier: MIT */
/* vm.c - see vm.h. */

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/vm.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* linux/mman.h, since 6.13 */
#endif

size_t vm_page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static int map_as(size_t size, int prot, int kind, void **out)
{
	void *p = mmap(NULL, size, prot,
	    kind | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

static int map(size_t size, int prot, void **out)
{
	return map_as(size, prot, MAP_PRIVATE, out);
}

int vm_reserve(size_t size, void **out)
{
	int r = map(size, PROT_NONE, out);

	/* A huge page under one stack would be 64 KiB and more of memory for
	 * each goroutine.  Kernels without huge pages refuse: as well. */
	if (r == 0)
		(void)madvise(*out, size, MADV_NOHUGEPAGE);
	return r;
}

int vm_commit(void *p, size_t size)
{
	return mprotect(p, size, PROT_READ | PROT_WRITE) < 0 ? -errno : 0;
}

int vm_alloc(size_t size, void **out)
{
	return map(size, PROT_READ | PROT_WRITE, out);
}

int vm_share(size_t size, void **out)
{
	return map_as(size, PROT_READ | PROT_WRITE, MAP_SHARED, out);
}

void vm_discard(void *p, size_t size)
{
	(void)madvise(p, size, MADV_DONTNEED); /* or it stays: no harm */
}

void vm_free(void *p, size_t size)
{
	if (p)
		(void)munmap(p, size);
}

int vm_guard_madvise(void *p, size_t size)
{
	return madvise(p, size, MADV_GUARD_INSTALL) < 0 ? -errno : 0;
}

int vm_guard_mprotect(void *p, size_t size)
{
	return mprotect(p, size, PROT_NONE) < 0 ? -errno : 0;
}

bool vm_guard_probe(void *p)
{
	if (vm_guard_madvise(p, vm_page()) < 0)
		return false;
	/* The kernel reads a path from p: it faults, or finds it empty. */
	return access(p, F_OK) < 0 && errno == EFAULT;
}
