#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# The layout of the ABI, for 64-bit and 32-bit callers.

here=$(dirname "$0")
uapi=$here/../../driver/uapi

# layout NUMBER TITLE COMPILER
layout() {
	if [ -z "$3" ]; then
		echo "ok $1 - $2 # SKIP no compiler"
	elif $3 -fsyntax-only -I"$uapi" "$here/layout.c"; then
		echo "ok $1 - $2"
	else
		echo "not ok $1 - $2"
	fi
}

echo 1..2
layout 1 "the layout is that of the first release" "${CC:-cc}"
layout 2 "the layout for 32-bit callers is the same" "${CC32-}"
