#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# In the VM that counts, on Debian's kernel: what pinning costs must not be more
# than what is recorded in bench/bounds, by 1 %. All that was measured is left in
# $PINMEM_LOGS/bounds, in the form of that file: to record a change that is meant,
# copy it there.
set -u
# shellcheck source=tests/vm/tap.sh
. "${HERE:=/usr/libexec/pinmem-tests}/tap.sh"

BOUNDS=$HERE/bench/bounds
MEASURED=$PINMEM_LOGS/bounds
ALL=$PINMEM_LOGS/measured
PASSES=6
TIMES=12
POOL=/proc/sys/vm/nr_hugepages

# MEMORY MODE ACCESS BYTES, then the instructions of a pin and of an unpin
ROWS='.results[] | select(.peer == "pinmem") |
	"\(.memory)\t\(.mode)\t\(.access)\t\(.bytes)\t\(.pin_ns)\t\(.unpin_ns)"'

# There is one CPU: gojq must not start beside what is measured.
measure() {
	local said
	said=$(pinctl bench --json --passes "$PASSES" "$@") && gojq -r "$ROWS" <<<"$said" >>"$ALL"
}

# Pages that follow each other in memory cost less than others, and how many do is
# another in each boot, so there are none such to be had while this measures.
measure_all() {
	local i ready
	coproc HOLES { exec "$HERE/bench/holes"; }
	read -r ready <&"${HOLES[0]}"
	check "no two free pages follow each other" is "$ready" ready
	echo 2 >"$POOL"
	for ((i = 0; i < TIMES; i++)); do
		measure --memory small --size 2M --mode own,remote,slow
		measure --memory small --size 2M --access read
		measure --memory small --size 4K
		measure --memory thp,hugetlb-2M --size 2M --mode own,remote
	done
	echo 0 >"$POOL"
	kill "$HOLES_PID"
}

# The most of each number of a row.
keep_worst() {
	head -n 2 "$BOUNDS" && awk -F '\t' -v OFS='\t' '
		{ row = $1 OFS $2 OFS $3 OFS $4 }
		!(row in pin) { rows[++n] = row; pin[row] = $5; unpin[row] = $6 }
		$5 > pin[row] { pin[row] = $5 }
		$6 > unpin[row] { unpin[row] = $6 }
		END { for (i = 1; i <= n; i++) print rows[i], pin[rows[i]], unpin[rows[i]] }
	' "$ALL"
}

# within ROW NUMBER...: what was measured of the row is no more than the numbers
within() {
	local row=$1 found number
	shift
	found=$(awk -F '\t' -v row="$row" '$1 " " $2 " " $3 " " $4 == row { print $5, $6 }' "$MEASURED")
	[ -n "$found" ] || { echo "not measured" && return 1; }
	echo "measured: $found; recorded: $*"
	for number in $found; do
		[ $((number * 100)) -le $(($1 * 101)) ] || return 1
		shift
	done
}

measure_all
keep_worst >"$MEASURED"
while IFS=$'\t' read -r memory mode access bytes pin unpin; do
	check "$memory, $mode, $access, $bytes bytes" \
		within "$memory $mode $access $bytes" "$pin" "$unpin"
done < <(grep -v '^#' "$BOUNDS")
finish
