# SPDX-License-Identifier: GPL-2.0-only
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# The files of the driver, for Kbuild and for automake.

driver_c = \
	pinmem_main.c \
	pinmem_ioctl.c \
	pinmem_query.c \
	pinmem_data.c \
	pinmem_life.c \
	pinmem_stuck.c \
	pinmem_grow.c \
	pinmem_target.c \
	pinmem_account.c \
	pinmem_estimate.c \
	pinmem_gup.c \
	pinmem_revoke.c \
	pinmem_dax.c \
	pinmem_walk.c \
	pinmem_runs.c \
	pinmem_lease.c \
	pinmem_pin.c \
	pinmem_mm.c \
	pinmem_genl.c

driver_h = \
	pinmem_compat.h \
	pinmem_private.h \
	pinmem_trace.h \
	uapi/linux/pinmem.h
