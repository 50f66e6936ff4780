#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# The functions of the header are those of the map, of the built library, and
# of the man page.

top=$(dirname "$0")/../..
library=${top_builddir:-$top}/lib/.libs/libpinmem.so

# Comments go first: they name functions too.
in_header() {
	${CC:-cc} -E -P "$top/lib/pinmem.h" | tr '\n' ' ' | grep -o 'pinmem_[a-z0-9_]* *(' | tr -d ' ('
}

in_map() {
	sed -n 's/^\t\(pinmem_[a-z0-9_]*\);$/\1/p' "$top/lib/libpinmem.map"
}

in_library() {
	nm --dynamic --defined-only --format=just-symbols --without-symbol-versions "$library" |
		grep -v '^LIBPINMEM_'
}

in_manual() {
	sed -n 's/^\.Fo \(pinmem_[a-z0-9_]*\)$/\1/p; s/^\.Fn \(pinmem_[a-z0-9_]*\) .*/\1/p' \
		"$top/man/libpinmem.3"
}

# compare NUMBER TITLE LISTER
compare() {
	$3 | sort -u >"$there"
	if [ -s "$here" ] && diff -u "$here" "$there" | sed 's/^/# /' && cmp -s "$here" "$there"; then
		echo "ok $1 - $2"
	else
		echo "not ok $1 - $2"
	fi
}

here=$(mktemp)
there=$(mktemp)
trap 'rm -f "$here" "$there"' EXIT
in_header | sort -u >"$here"

echo 1..3
compare 1 "the map exports what the header declares" in_map
compare 2 "the library has what the header declares" in_library
compare 3 "the man page tells of what the header declares" in_manual
