/* SPDX-License-Identifier: MIT */
/* vm.h - the one seam to the system's virtual memory.  0 or -errno. */
#ifndef RT_BASE_VM_H
#define RT_BASE_VM_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a page of this system. */
size_t vm_page(void);

/* Address space without memory: touching it faults until vm_commit. */
int vm_reserve(size_t size, void **out);

/* Makes part of a reservation usable; it reads as zero. */
int vm_commit(void *p, size_t size);

/* Zeroed memory that costs nothing until it is touched. */
int vm_alloc(size_t size, void **out);

/* The same, which a child process shares. */
int vm_share(size_t size, void **out);

/* Gives the memory back, keeps the addresses: it reads as zero again. */
void vm_discard(void *p, size_t size);

void vm_free(void *p, size_t size);

/* Makes a page fault for ever.  madvise: Linux 6.13, no mapping of its own;
 * mprotect: anywhere, but each splits a mapping, and those are limited. */
int vm_guard_madvise(void *p, size_t size);
int vm_guard_mprotect(void *p, size_t size);

/* Does the madvise kind really fault here?  (qemu-user says 0 and does
 * nothing.)  p is a committed page that is lost by the trial. */
bool vm_guard_probe(void *p);

#endif
