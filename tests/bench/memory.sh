#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# In the VM that counts: every kind of memory, held by pinctl bench and its peers
# and by the kernel's own gup_test. Pages of 1 GiB come first, as they are there
# from boot and their memory is needed afterwards.
set -u
# shellcheck source=tests/vm/tap.sh
. "${HERE:=/usr/libexec/pinmem-tests}/tap.sh"

RESULTS=$PINMEM_LOGS/bench.jsonl
PASSES=5
SIZES=(4K 16K 64K 256K 1M 4M 16M 64M 256M 1G 4G)
HUGE_SIZES=(2M 16M 64M 256M 1G 4G)
FOLL_LONGTERM=0x100

GIGANTIC=/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages
HUGE=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages

# pinctl_bench OPTION...: what it found, a line each
pinctl_bench() {
	local said
	said=$(pinctl bench --json --passes "$PASSES" "$@") &&
		gojq -ce '.results[]' <<<"$said" >>"$RESULTS"
}

# gup_lines: "get put" of each pass, in microseconds
gup_lines() { sed -n 's/.*Time: get:\([0-9]*\) put:\([0-9]*\) us.*/\1 \2/p'; }

# gup_json MODE MEMORY ACCESS MIB: of the lines of all passes
gup_json() {
	awk -v mode="$1" -v memory="$2" -v access="$3" -v bytes="$(($4 << 20))" -v passes="$PASSES" '
	NR == 1 { first_get = $1; first_put = $2 }
	NR == 2 { get = $1; put = $2 }
	NR > 2 { if ($1 < get) get = $1; if ($2 < put) put = $2 }
	END {
		if (NR != passes) exit 1
		printf "{\"peer\": \"gup_test\", \"mode\": \"%s\", \"memory\": \"%s\", ", mode, memory
		printf "\"access\": \"%s\", \"longterm\": true, ", access
		printf "\"bytes\": %s, \"calls\": 1, \"passes\": %d, ", bytes, passes
		printf "\"first_pin_ns\": %.0f, \"first_unpin_ns\": %.0f, ", first_get * 1000, first_put * 1000
		printf "\"pin_ns\": %.0f, \"unpin_ns\": %.0f}\n", get * 1000, put * 1000
	}'
}

# gup MODE MEMORY ACCESS MIB OPTION...: all in one call, which it times inside of
# the kernel
gup() {
	local mode=$1 memory=$2 access=$3 mib=$4
	local -a options=(-F "$FOLL_LONGTERM" -m "$mib" -n $((mib * 256)) -r "$PASSES")
	shift 4
	[ "$mode" = fast ] && options+=(-a) || options+=(-L)
	[ "$access" = write ] || options+=(-W)
	"$HERE/gup_test" "${options[@]}" "$@" | gup_lines | gup_json "$mode" "$memory" "$access" "$mib" >>"$RESULTS"
}

# gup_modes MEMORY MIB OPTION...
gup_modes() {
	local mode access
	for mode in fast longterm; do
		for access in write read; do
			gup "$mode" "$1" "$access" "$2" "${@:3}" || return 1
		done
	done
}

# set_pool FILE PAGES
set_pool() {
	echo "$2" >"$1"
	is "$(cat "$1")" "$2"
}

# A file of it, as gup_test knows no other way to pages of this size.
gigantic_gup() {
	mkdir -p /run/gigantic
	mount -t hugetlbfs -o pagesize=1G none /run/gigantic &&
		gup_modes hugetlb-1G 4096 -S -f /run/gigantic/file
	local status=$?
	rm -f /run/gigantic/file
	umount /run/gigantic
	return "$status"
}

memfd_gup() {
	truncate -s 64M /dev/shm/gup && gup_modes memfd 64 -S -f /dev/shm/gup
	local status=$?
	rm -f /dev/shm/gup
	return "$status"
}

all_sizes() {
	local memory=$1 size
	shift
	for size; do
		check "$memory: $size" pinctl_bench --memory "$memory" --size "$size"
	done
}

all_modes() {
	local memory=$1 size=$2 access
	for access in write read; do
		check "$memory: $size, $access" pinctl_bench --memory "$memory" \
			--size "$size" --mode own,remote,slow --access "$access"
		check "$memory: $size, $access, short" pinctl_bench --memory "$memory" \
			--size "$size" --mode own,remote,slow --access "$access" --short
	done
}

all_gup_sizes() {
	local memory=$1 option=$2 mib
	for mib in 1 4 16 256 1024 4096; do
		check "gup_test, $memory: $mib MiB" gup fast "$memory" write "$mib" "$option"
	done
}

check "gup_test, hugetlb-1G" gigantic_gup
all_modes hugetlb-1G 4G
check "pages of 1 GiB are freed" set_pool "$GIGANTIC" 0

# The less has run before, the better pages follow each other in memory.
all_modes small 64M
check "gup_test, small" gup_modes small 64 -T
all_sizes small "${SIZES[@]}"
all_gup_sizes small -T

all_modes thp 64M
check "gup_test, thp" gup_modes thp 64 -t
all_sizes thp "${HUGE_SIZES[@]}"

check "pages of 2 MiB are there" set_pool "$HUGE" 64
check "gup_test, hugetlb-2M" gup_modes hugetlb-2M 64 -H
all_modes hugetlb-2M 64M
check "pages of 2 MiB are freed" set_pool "$HUGE" 0

all_modes memfd 64M
check "gup_test, memfd" memfd_gup
finish
