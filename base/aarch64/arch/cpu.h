/* SPDX-License-Identifier: MIT */
/* cpu.h - small things that each processor spells its own way, aarch64. */
#ifndef RT_BASE_CPU_H
#define RT_BASE_CPU_H

/* A pause in a busy wait. */
static inline void cpu_relax(void)
{
	__asm__ volatile("isb" ::: "memory");
}

/* Reads the hidden thread-local pointer `sym`; see the x86-64 file. */
#define cpu_tls_load(type, sym)                                     \
	__extension__({                                             \
		type v_;                                            \
		__asm__ volatile("mrs x9, tpidr_el0\n\t"            \
				 "adrp %0, :gottprel:" #sym "\n\t"  \
				 "ldr %0, [%0, #:gottprel_lo12:" #sym "]\n\t" \
				 "ldr %0, [x9, %0]"                 \
				 : "=&r"(v_)                        \
				 :                                  \
				 : "x9");                           \
		v_;                                                 \
	})

#endif
