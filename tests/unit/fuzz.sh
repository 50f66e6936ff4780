#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# What the fuzzer of the device does without a device: its programs follow from
# the seed, can be read again, and are C.

fuzz=${top_builddir:-../..}/tests/fuzz/fuzz
uapi=$(dirname "$0")/../../driver/uapi
count=0

# check WHAT COMMAND...
check() {
	what=$1
	shift
	count=$((count + 1))
	if "$@" >"$scratch/said" 2>&1; then
		echo "ok $count - $what"
	else
		echo "not ok $count - $what"
		sed 's/^/# /' "$scratch/said"
	fi
}

programs() { "$fuzz" --print --calls 3000 --seed "$1"; }

same_seed_is_the_same() {
	programs 7 >"$scratch/first" && programs 7 >"$scratch/second" &&
		[ "$(grep -c '^# program' "$scratch/first")" -gt 100 ] &&
		cmp "$scratch/first" "$scratch/second"
}

other_seed_is_another() {
	programs 8 >"$scratch/other" && ! cmp -s "$scratch/first" "$scratch/other"
}

# Of each call there is at least one in so many.
every_call_is_there() {
	grep -v '^#' "$scratch/first" | cut -d ' ' -f 1 | sort -u >"$scratch/used"
	sed -n 's/^\t{ "\([a-z]*\)", run_.*/\1/p' "$(dirname "$0")/../fuzz/ops.c" |
		grep -vx leak | sort >"$scratch/table"
	[ "$(wc -l <"$scratch/table")" -gt 20 ] && diff "$scratch/table" "$scratch/used"
}

text_is_read_again() {
	for number in 0 1 2 3 4 5 6 7 8 9; do
		"$fuzz" --print --seed 7 --only $number >"$scratch/program" &&
			"$fuzz" --print --run "$scratch/program" >"$scratch/again" &&
			cmp "$scratch/program" "$scratch/again" || return 1
	done
}

no_text_is_refused() {
	echo 'pin colour=0x1' >"$scratch/program"
	! "$fuzz" --print --run "$scratch/program"
}

reproducer_compiles() {
	"$fuzz" --print-c --seed 7 --only 3 >"$scratch/reproducer.c" &&
		${CC:-cc} -Wall -Werror -I"$uapi" -o "$scratch/reproducer" \
			"$scratch/reproducer.c" -pthread
}

# The rows at its end are the program, a call each.
reproducer_has_the_program() {
	"$fuzz" --print --seed 7 --only 3 >"$scratch/program" &&
		sed -n 's|^\t/\* \(.*\) \*/$|\1|p' "$scratch/reproducer.c" >"$scratch/rows" &&
		tail -n "$(wc -l <"$scratch/program")" "$scratch/rows" | cmp - "$scratch/program"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

echo 1..7
check "the same seed makes the same programs" same_seed_is_the_same
check "another seed makes others" other_seed_is_another
check "every call is made" every_call_is_there
check "a program that was written can be read" text_is_read_again
check "what is no program is refused" no_text_is_refused
check "a reproducer compiles" reproducer_compiles
check "a reproducer has the program at its end" reproducer_has_the_program
