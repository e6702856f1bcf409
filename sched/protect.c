/* SPDX-License-Identifier: MIT */
/* protect.c - see protect.h. */

#include <string.h>

#include "sched/embed.h"
#include "sched/except.h"
#include "sched/m.h"
#include "sched/protect.h"

/* protect.S */
int rt_protect(gamp_fn *fn, void *arg, void **frame);
_Noreturn void rt_unprotect(void *frame);

static struct protect_guard *innermost(void)
{
	return m_curg(m_self())->guards;
}

bool protect_call(struct protect_guard *g, gamp_fn *fn, void *arg)
{
	int failed;

	g->outer = innermost();
	m_curg(m_self())->guards = g;
	failed = rt_protect(fn, arg, &g->frame);
	m_curg(m_self())->guards = g->outer;
	return !failed;
}

static _Noreturn void land(struct protect_guard *g)
{
	san_no_return();
	rt_unprotect(g->frame);
}

/* What the unwinder asks about the frame of rt_protect; named there. */
_Unwind_Reason_Code protect_personality(int version, _Unwind_Action actions,
    _Unwind_Exception_Class cls, struct _Unwind_Exception *e,
    struct _Unwind_Context *ctx);
_Unwind_Reason_Code protect_personality(int version, _Unwind_Action actions,
    _Unwind_Exception_Class cls, struct _Unwind_Exception *e,
    struct _Unwind_Context *ctx)
{
	struct protect_guard *g;

	(void)ctx;
	if (version != 1)
		return _URC_FATAL_PHASE1_ERROR;
	if (actions & _UA_FORCE_UNWIND) /* pthread_exit; or stop, below */
		return _URC_CONTINUE_UNWIND;
	if (actions & _UA_SEARCH_PHASE)
		return _URC_HANDLER_FOUND;
	if (!(actions & _UA_HANDLER_FRAME))
		return _URC_CONTINUE_UNWIND;
	except_caught(cls);
	/* Frames are left from the inner end on: this one is the innermost. */
	g = innermost();
	g->failing.how =
	    (struct gamp_failure){ .exception = true, .value = e };
	land(g);
}

_Static_assert(sizeof(struct failing) <= sizeof(((struct g *)0)->failing),
    "room in the G");

/* All that lies between is unwound. */
static _Noreturn void arrive(const struct failing *f)
{
	if (f->to)
		land(f->to);
	embed_failed(m_curg(m_self()), &f->how);
	gamp_exit();
}

/* Called by the unwinder before each frame. */
static _Unwind_Reason_Code stop(int version, _Unwind_Action actions,
    _Unwind_Exception_Class cls, struct _Unwind_Exception *e,
    struct _Unwind_Context *ctx, void *arg)
{
	struct failing *f = arg;
	uintptr_t at = (uintptr_t)_Unwind_GetCFA(ctx);

	(void)version;
	(void)cls;
	(void)e;
	if ((actions & _UA_END_OF_STACK) ||
	    (f->to && at > (uintptr_t)f->to->frame))
		arrive(f);
	return _URC_NO_REASON;
}

/* By who catches it and does not pass it on: nothing is to be freed. */
static void dropped(_Unwind_Reason_Code why, struct _Unwind_Exception *e)
{
	(void)why;
	(void)e;
}

_Noreturn void protect_fail(int64_t code, void *value)
{
	struct g *gp = m_curg(m_self());
	struct protect_guard *to = innermost();
	struct failing *f = to ? &to->failing : (void *)gp->failing;

	*f = (struct failing){ .to = to,
		.how = { .code = code, .value = value } };
	memcpy(&f->e.exception_class, "GAMPFAIL",
	    sizeof(f->e.exception_class));
	f->e.exception_cleanup = dropped;
	(void)_Unwind_ForcedUnwind(&f->e, stop, f);
	arrive(f); /* it gave up: no tables */
}
