/* SPDX-License-Identifier: MIT */
/* uv_guest.c - see uv_guest.h. */

#include <err.h>
#include <string.h>

#include <gamp/gamp.h>

#include "examples/uv_guest.h"

/* The loop is awake: that is all. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)poll, (void)status, (void)events;
}

static void on_deadline(uv_timer_t *timer)
{
	(void)timer;
}

/* 1 or 0 is all the same: the descriptor stays readable if there is more. */
static void on_check(uv_check_t *check)
{
	(void)check;
	(void)gamp_poll(0);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct uv_guest *guest = prepare->data;
	int64_t until = gamp_poll_deadline(), ns;

	if (until == GAMP_FOREVER) {
		uv_timer_stop(&guest->timer);
		return;
	}
	ns = until - gamp_now();
	uv_update_time(prepare->loop);
	uv_timer_start(&guest->timer, on_deadline,
	    ns <= 0 ? 0 : (uint64_t)(ns / GAMP_MILLISECOND + 1), 0);
}

void uv_guest_begin(struct uv_guest *guest, uv_loop_t *loop)
{
	int r = gamp_start(&(struct gamp_options){ .guest = true });

	if (r < 0)
		errx(1, "gamp_start: %s", strerror(-r));
	uv_poll_init(loop, &guest->poll, gamp_poll_fd());
	uv_poll_start(&guest->poll, UV_READABLE, on_readable);
	uv_timer_init(loop, &guest->timer);
	uv_prepare_init(loop, &guest->prepare);
	guest->prepare.data = guest;
	uv_prepare_start(&guest->prepare, on_prepare);
	uv_check_init(loop, &guest->check);
	uv_check_start(&guest->check, on_check);
}

/* The handles before gamp_stop, which closes the descriptor. */
void uv_guest_end(struct uv_guest *guest)
{
	int r;

	uv_close((uv_handle_t *)&guest->poll, NULL);
	uv_close((uv_handle_t *)&guest->timer, NULL);
	uv_close((uv_handle_t *)&guest->prepare, NULL);
	uv_close((uv_handle_t *)&guest->check, NULL);
	r = gamp_stop(gamp_now() + 5 * GAMP_SECOND);
	if (r < 0)
		errx(1, "gamp_stop: %s", strerror(-r));
}
