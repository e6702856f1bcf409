/* SPDX-License-Identifier: MIT */
/*
 * vm.c - the interpreter's loop: ops.h has the instructions.
 *
 * vm_run's frame is all of the C stack that a goroutine of the script uses for
 * itself.
 */

#include "ops.h"

int vm_collect(struct fiber *f)
{
	struct heap *h = &f->m->heap;

	gc_collect(f, false);
	if (LIKELY(heap_size(h) <= h->limit))
		return 0;
	gc_collect(f, true);
	return heap_size(h) > h->limit ? throw_memory(f) : 0;
}

int vm_run(struct fiber *f)
{
	static const void *const labels[] = {
#define X(name) &&L_##name,
		OPCODES(X)
#undef X
	};
	struct regs r = { .f = f };
	const struct ins *i;
	int err;

again:
	load(&r);
	i = r.pc++;
	goto *labels[i->op];
#define X(name)                            \
	L_##name : err = op_##name(&r, i); \
	if (__builtin_expect(err, 0))      \
		goto out;                  \
	i = r.pc++;                        \
	goto *labels[i->op];
	OPCODES(X)
#undef X
out:
	if (err == THROWN && (err = vm_unwind(f)) == 0)
		goto again;
	return err == FINISHED ? 0 : err;
}
