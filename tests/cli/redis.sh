#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# A program that nobody here wrote: Debian's redis-server, filled and at work.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

PORT=7654
AT_RANDOM=/proc/sys/kernel/randomize_va_space

# It lies at random addresses, as on users' machines: where programs do not, Linux 6.1
# calls their bss the heap.
redis_start() {
	local usual
	usual=$(<"$AT_RANDOM")
	echo 2 >"$AT_RANDOM"
	redis-server --port "$PORT" --save '' --appendonly no --dir "$TMP" >"$TMP/redis.log" 2>&1 &
	VICTIM=$!
	wait_until redis-cli -p "$PORT" ping
	echo "$usual" >"$AT_RANDOM"
	redis-cli -p "$PORT" eval "for i = 1, 16384 do
		redis.call('SET', 'key:' .. i, string.rep('x', 1000)) end" 0 >/dev/null
}

heap_anon_write() {
	local bytes rss h
	redis_start
	rss=$(rollup "$VICTIM" Anonymous)
	run pinctl pin --pid "$VICTIM" heap anon --write
	done_well
	err_has 'note: heap: no such mapping in redis-server (its allocator does not use brk'
	out_like "^handle [0-9]+: [0-9.]+ MiB in [0-9]+ ranges, kept until process $VICTIM ends or pinctl unpin [0-9]+\$"
	h=$(handle)
	bytes=$(pinctl status "$h" --json | gojq '.pins[0].bytes')
	vm_pin_is $((bytes / 1024))
	[ "$bytes" -gt $((16 << 20)) ] || fail "16 MiB of values are more than $bytes"
	is "$(redis-cli -p "$PORT" get key:7 | wc -c)" 1001 || fail "redis does not answer"
	[ "$(rollup "$VICTIM" Anonymous)" -le $((rss + 1024)) ] || fail "Anonymous grew"
	run pinctl query "$h" --json
	json '.total.ours == .total.bytes'
	must pinctl unpin "$h" >/dev/null
	vm_pin_is 0
}

all_of_a_server_at_work() {
	local before
	redis_start
	(while redis-cli -p "$PORT" set "key:$RANDOM" x >/dev/null; do :; done) 2>/dev/null &
	before=$(rollup "$VICTIM" Anonymous)
	for _ in 1 2 3; do
		run pinctl pin --pid "$VICTIM" all
		done_well
		err_has 'of program text passed over'
		unpin_all
	done
	[ "$(rollup "$VICTIM" Anonymous)" -le $((before + 4096)) ] || fail "Anonymous grew"
	vm_pin_is 0
}

ends_with_the_server() {
	redis_start
	run pinctl pin --pid "$VICTIM" anon
	done_well
	redis-cli -p "$PORT" shutdown nosave
	wait_until is_gone "$VICTIM"
	wait_until no_pins
}

test_that "heap anon --write" heap_anon_write
test_that "all, while it serves" all_of_a_server_at_work
test_that "its shutdown ends the pin" ends_with_the_server
finish
