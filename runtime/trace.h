/* SPDX-License-Identifier: MIT */
/* trace.h - writing a trace, and traces that the environment asks for. */
#ifndef RT_RUNTIME_TRACE_H
#define RT_RUNTIME_TRACE_H

/* Writes what trace_end has left to a descriptor of the system, as JSON.  0,
 * -ENOMEM, or what a write said. */
int trace_write_json(int fd);

/* GAMP_DEBUG=trace=FILE: the runtime has started; it has stopped. */
void trace_env_begin(void);
void trace_env_end(void);

#endif
