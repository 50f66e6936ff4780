#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# The layout of the ABI, for 64-bit and 32-bit callers, and that all of the header
# has its line in layout.c.

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

# Without the ends of lists, which move, and the one string.
in_header() {
	sed -e 's|/\*.*\*/||' -e '\|/\*|,\|\*/|d' "$uapi/linux/pinmem.h" | awk '
		/^(struct|enum) .*\{$/ { kind = $1; name = $2 }
		/^}/ { kind = "" }
		kind == "struct" && /;$/ { sub(/(\[.*)?;$/, ""); print name "." $NF }
		kind == "enum" && sub(/^[ \t]*PINMEM_/, "PINMEM_") { sub(/[^A-Z0-9_].*/, ""); print }
		/^#define PINMEM_/ && $2 !~ /_MAX$|_NAME$/ { print $2 }' | sort
}

in_layout() {
	sed -n 's/^FIELD(\(.*\), \(.*\),.*/\1.\2/p; s/^NUMBER(\(.*\),.*/\1/p' "$here/layout.c" | sort
}

# same_lists HEADER TEST: two functions that print the same, and not nothing
same_lists() {
	"$1" >"$scratch/header"
	"$2" >"$scratch/test"
	[ -s "$scratch/header" ] && diff "$scratch/header" "$scratch/test" >"$scratch/diff"
	status=$?
	sed 's/^/# /' "$scratch/diff"
	return "$status"
}

# "COMMAND field" of every field that the header calls a pointer, and of every
# one that has a row in the tests of copies.
pointers_in_header() {
	awk '/^ \* struct pinmem_ioc_/ {
			commands = $0
		}
		/^ \* @[a-z_]*: Pointer to / {
			field = substr($2, 2, length($2) - 2)
			for (rest = commands; match(rest, /PINMEM_IOC_[A-Z]+/);
			     rest = substr(rest, RSTART + RLENGTH))
				print substr(rest, RSTART + 11, RLENGTH - 11), field
		}' "$uapi/linux/pinmem.h" | sort
}

pointers_in_test() {
	sed -n 's/^\tPOINTER(\([A-Z]*\), [a-z]*, \([a-z]*\),.*/\1 \2/p' \
		"$here/../harness/call.c" | sort
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

echo 1..4
layout 1 "the layout is that of the first release" "${CC:-cc}"
layout 2 "the layout for 32-bit callers is the same" "${CC32-}"
if same_lists in_header in_layout; then
	echo "ok 3 - every field and constant has its line"
else
	echo "not ok 3 - every field and constant has its line"
fi
if same_lists pointers_in_header pointers_in_test; then
	echo "ok 4 - every pointer has its row in the tests of copies"
else
	echo "not ok 4 - every pointer has its row in the tests of copies"
fi
