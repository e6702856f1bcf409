/* SPDX-License-Identifier: MIT */
/*
 * uv_guest.h - goroutines as guests of a libuv loop.
 *
 * A uv_poll on gamp_poll_fd and a uv_timer for gamp_poll_deadline end the
 * loop's sleep; a uv_prepare sets that timer when the loop is about to sleep; a
 * uv_check, once in each turn of the loop, calls gamp_poll.
 */
#ifndef EXAMPLES_UV_GUEST_H
#define EXAMPLES_UV_GUEST_H

#include <uv.h>

struct uv_guest {
	uv_poll_t poll;
	uv_timer_t timer;
	uv_prepare_t prepare;
	uv_check_t check;
};

/* Starts gamp in the loop; an error ends the program. */
void uv_guest_begin(struct uv_guest *guest, uv_loop_t *loop);

/* Stops it.  guest is to last until the loop has closed its handles. */
void uv_guest_end(struct uv_guest *guest);

#endif
