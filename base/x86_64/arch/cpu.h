/* SPDX-License-Identifier: MIT */
/* cpu.h - small things that each processor spells its own way, x86-64. */
#ifndef RT_BASE_CPU_H
#define RT_BASE_CPU_H

/* A pause in a busy wait. */
static inline void cpu_relax(void)
{
	__builtin_ia32_pause();
}

/*
 * Reads the hidden thread-local pointer `sym`.  The compiler may not keep
 * the value or the address across a park, for the goroutine may then be on
 * another thread; the asm forbids it (a noinline function does not, with
 * clang).  Initial-exec: 0.35 ns, in a shared object as well.
 */
#define cpu_tls_load(type, sym)                                           \
	__extension__({                                                   \
		type v_;                                                  \
		__asm__ volatile("movq " #sym "@gottpoff(%%rip), %0\n\t"  \
				 "movq %%fs:(%0), %0"                     \
				 : "=r"(v_));                             \
		v_;                                                       \
	})

#endif
