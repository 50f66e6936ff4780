/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_BENCH_MARK_H
#define PINMEM_BENCH_MARK_H

/*
 * An instruction that does nothing, and that QEMU's plugin knows: from here on it
 * counts under this number, a literal below MARKS; 0: no more.  It is a long nop
 * with an operand that no compiler makes.
 */

#define MARKS		32
#define MARK_BYTES	0x0f, 0x1f, 0x80, 0x00, 0x33, 0x22

#define MARK(number) \
	__asm__ volatile(".byte 0x0f, 0x1f, 0x80, 0x00, 0x33, 0x22, %c0" \
			 : : "i"(number) : "memory")

#endif /* PINMEM_BENCH_MARK_H */
