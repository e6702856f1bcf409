/* SPDX-License-Identifier: MIT */
/* repl.h - a conversation on standard input. */
#ifndef EXAMPLES_LINNET_REPL_H
#define EXAMPLES_LINNET_REPL_H

#include "linnet.h"

/* Reads and runs until the end of the input, or exit(); returns the status. */
int repl(struct linnet *m);

#endif
