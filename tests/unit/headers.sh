#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Each installed header stands alone, in C99 and in C++; the library's with no
# other directory on the path.

here=$(dirname "$0")
# compile NUMBER LANGUAGE STANDARD HEADER DIRECTORY COMPILER
compile() {
	title="$4 stands alone in $3"
	if [ -z "$6" ]; then
		echo "ok $1 - $title # SKIP no compiler"
	elif echo "#include <$4>" | $6 -x "$2" -std="$3" -Wall -Wextra -pedantic -Werror \
		-fsyntax-only -I"$here/../../$5" -; then
		echo "ok $1 - $title"
	else
		echo "not ok $1 - $title"
	fi
}

echo 1..4
compile 1 c c99 pinmem.h lib "${CC:-cc}"
compile 2 c++ c++11 pinmem.h lib "${CXX-}"
compile 3 c c99 linux/pinmem.h driver/uapi "${CC:-cc}"
compile 4 c++ c++11 linux/pinmem.h driver/uapi "${CXX-}"
