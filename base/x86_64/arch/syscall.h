/* SPDX-License-Identifier: MIT */
/* syscall.h - a system call without libc and its errno, x86-64. */
#ifndef RT_BASE_SYSCALL_H
#define RT_BASE_SYSCALL_H

/* The result, or -errno. */
static inline long cpu_syscall(
    long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r = nr;

	__asm__ volatile("syscall"
			 : "+a"(r)
			 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

#endif
