#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# The man pages: mandoc has nothing to say against them, their examples compile,
# and pinmem(4) names every reason.

here=$(dirname "$0")
top=$here/../..
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
number=0

# result STATUS TITLE
result() {
	number=$((number + 1))
	[ "$1" -eq 0 ] || printf 'not '
	echo "ok $number - $2"
}

# Which other pages there are depends on the machine, not on this one.
lint() {
	! mandoc -Tlint "$1" 2>/dev/null | grep -v 'referenced manual not found' | sed 's/^/# /' |
		grep .
}

# examples PAGE DIRECTORY: cuts the examples out, each into a file there
examples() {
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh/p' "$1" | sed 's/\\e/\\/g; s/\\-/-/g' |
		awk -v to="$2" '/^\.Bd/ { n++; inside = 1; next }
			/^\.Ed/ { inside = 0 }
			inside { print > (to "/" n ".c") }'
}

compile_examples() {
	mkdir "$scratch/examples"
	examples "$1" "$scratch/examples"
	${CC:-cc} -Wall -Wextra -Werror -fsyntax-only -I"$top/lib" -I"$top/driver/uapi" \
		"$scratch"/examples/*.c
	status=$?
	rm -rf "$scratch/examples"
	return "$status"
}

reasons_missing() {
	grep -o 'PINMEM_WHY_[A-Z_]*' "$top/driver/uapi/linux/pinmem.h" | sort -u >"$scratch/there"
	grep -o 'PINMEM_WHY_[A-Z_]*' "$top/man/pinmem.4" | sort -u >"$scratch/here"
	diff "$scratch/there" "$scratch/here" | sed 's/^/# /' | grep .
}

set -- "$top"/man/*.[1-8]
echo "1..$(($# + 3))"
for page; do
	if command -v mandoc >/dev/null; then
		lint "$page"
		result $? "${page##*/} passes mandoc"
	else
		result 0 "${page##*/} passes mandoc # SKIP no mandoc"
	fi
done
for page in libpinmem.3 pinmem.4; do
	compile_examples "$top/man/$page"
	result $? "the examples of $page compile"
done
! reasons_missing
result $? "pinmem.4 names every reason"
