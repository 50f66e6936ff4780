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
PASSES=7
POOL=/proc/sys/vm/nr_hugepages

# MEMORY MODE ACCESS BYTES, then the instructions of a pin, an unpin and the first unpin
ROWS='.results[] | select(.peer == "pinmem") |
	"\(.memory)\t\(.mode)\t\(.access)\t\(.bytes)\t\(.pin_ns)\t\(.unpin_ns)\t\(.first_unpin_ns)"'

# There is one CPU: jq must not start beside what is measured.
measure() {
	local said
	said=$(pinctl bench --json --passes "$PASSES" "$@") && jq -r "$ROWS" <<<"$said" >>"$MEASURED"
}

# Pages that follow each other in memory cost less to unpin. How many there are of
# others differs from boot to boot, so a file takes these first.
measure_all() {
	head -n 2 "$BOUNDS" >"$MEASURED"
	echo 3 >/proc/sys/vm/drop_caches
	echo 1 >/proc/sys/vm/compact_memory
	head -c 512M /dev/zero >/dev/shm/hog
	measure --memory small --size 64M --mode own,remote,slow
	measure --memory small --size 64M --access read
	measure --memory small --size 4K
	measure --memory thp --size 64M --mode own,remote
	echo 32 >"$POOL"
	measure --memory hugetlb-2M --size 64M
	echo 0 >"$POOL"
	rm /dev/shm/hog
}

# within ROW NUMBER...: what was measured of the row is no more than the numbers
within() {
	local row=$1 found number
	shift
	found=$(awk -F '\t' -v row="$row" '$1 " " $2 " " $3 " " $4 == row { print $5, $6, $7 }' "$MEASURED")
	[ -n "$found" ] || { echo "not measured" && return 1; }
	echo "measured: $found; recorded: $*"
	for number in $found; do
		[ $((number * 100)) -le $(($1 * 101)) ] || return 1
		shift
	done
}

measure_all
while IFS=$'\t' read -r memory mode access bytes pin unpin first; do
	check "$memory, $mode, $access, $bytes bytes" \
		within "$memory $mode $access $bytes" "$pin" "$unpin" "$first"
done < <(grep -v '^#' "$BOUNDS")
sed 's/^/# /' "$MEASURED"
finish
