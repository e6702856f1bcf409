/* SPDX-License-Identifier: MIT */
/* fault.h - where a signal has met its thread, aarch64. */
#ifndef RT_BASE_FAULT_H
#define RT_BASE_FAULT_H

#include <stdint.h>
#include <ucontext.h>

static inline uintptr_t fault_pc(const void *uc)
{
	return (uintptr_t)((const ucontext_t *)uc)->uc_mcontext.pc;
}

static inline uintptr_t fault_sp(const void *uc)
{
	return (uintptr_t)((const ucontext_t *)uc)->uc_mcontext.sp;
}

#endif
