#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Large pins in steps: what is shown, and that nothing is left of one that did not
# come to its end. Dry runs, and pins that their addresses leave.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

usermod -aG pinmem alice
echo 0 >/proc/sys/kernel/yama/ptrace_scope

DEFAULT=(env --default-signal=INT --default-signal=HUP --default-signal=TERM)
LARGE_KB=$((320 * 1024))

# Half way for ever: the last step waits for memory that never comes. PINNER is
# pinctl, on a terminal whose output goes to a file.
half_way() {
	victim_start
	tell large
	tell silent
	rm -f "$TMP/terminal"
	"${DEFAULT[@]}" script -qefc "pinctl pin --pid $VICTIM $(range_of large) $(range_of silent) $*" \
		"$TMP/terminal" >/dev/null 2>&1 </dev/null &
	wait_until large_is_pinned
	PINNER=$(pgrep -x pinctl)
}

# And perhaps what waits, too.
large_is_pinned() { [ "$(vm_pin "$VICTIM")" -ge "$LARGE_KB" ]; }
shows() { grep -qF "$1" "$TMP/terminal"; }

nothing_is_left() {
	wait_until is_gone "$PINNER"
	wait_until no_pins
	vm_pin_is 0
}

progress_is_shown() {
	half_way
	wait_until shows '[#########.] 320 MiB of 320 MiB, '
	wait_until shows 'iB/s, 0s left'
	run pinctl status --json
	json '.pins[0].flags == ["longterm", "grow"]'
	run pinctl status
	out_like ' longterm,grow '
	kill -INT "$PINNER"
	nothing_is_left
}

a_signal_half_way_leaves_nothing() {
	half_way "${@:2}"
	kill "-$1" "$PINNER"
	nothing_is_left
}

# At any moment: either nothing is pinned, or the handle was printed.
a_signal_at_any_time_loses_no_handle() {
	local delay kept said
	victim_start
	tell large
	for delay in 0.02 0.05 0.1 0.15 0.2 0.25 0.3 0.4 0.5 0.7; do
		"${DEFAULT[@]}" pinctl pin --pid "$VICTIM" "$(range_of large)" >"$TMP/out" 2>/dev/null &
		sleep "$delay"
		kill -INT $! 2>/dev/null
		wait $!
		said=$(sed -n 's/^handle \([0-9]*\): .*/\1/p' "$TMP/out")
		kept=$(pinctl status --json | gojq -r '.pins[].handle')
		[ "${said:-0}" -eq $((${kept:-0})) ] || fail "after $delay s: said $said, kept $kept"
		[ -z "$said" ] || must pinctl unpin "$said" >/dev/null
		vm_pin_is 0
	done
}

the_pin_is_that_of_one_call() {
	victim_start
	tell large
	run pinctl pin --pid "$VICTIM" "$(range_of large)"
	done_well
	out_has ': 320 MiB in 1 range, kept until'
	vm_pin_is "$LARGE_KB"
	run pinctl status --json
	json '.pins[0] | .flags == ["longterm", "keep"] and .ranges == 1 and .bytes == 335544320'
	unpin_all
	vm_pin_is 0
}

a_limit_is_told_as_of_one_call() {
	victim_start_as alice
	tell large
	with_memlock $((300 << 20)):$((300 << 20)) pinctl pin --pid "$VICTIM" "$(range_of large)" --json
	status_is 1
	json_error ENOMEM '"memlock"'
	json ".error | .limit == $((300 << 20)) and .use == 0 and .need == $((320 << 20))"
	vm_pin_is 0
	must no_pins
}

a_hole_in_a_later_step_is_named() {
	victim_start
	tell large
	run pinctl pin --pid "$VICTIM" "${START[large]}+321M"
	failed_with "0x${END[large]} in victim[$VICTIM]: nothing is mapped there"
	vm_pin_is 0
	must no_pins
}

rss() { # of the mapping that starts at $1
	awk -v at="^$1-" '$0 ~ at { found = 1 } found && $1 == "Rss:" { print $2; exit }' \
		"/proc/$VICTIM/smaps"
}

a_dry_run_agrees_with_the_kernel() {
	local present
	victim_start
	present=$(rss "${START[mixed]}")
	run pinctl pin --pid "$VICTIM" "$(range_of mixed)" --dry-run --json
	done_well
	json '(keys | sort) == ["dry_run", "error", "passed_over", "private_bytes", "unmatched"]'
	json '.dry_run | (keys | sort) == (["possible", "bytes", "ranges", "flags", "present", "absent",
		"movable", "runs", "memlock", "target"] | sort)'
	json ".error == null and .dry_run.possible and .dry_run.present == $((present << 10))"
	json '.dry_run | .bytes == 65536 and .present == 32768 and .absent == 32768 and .ranges == 1'
	json '.dry_run.memlock | .before == .after'
	json ".dry_run.target == {pid: $VICTIM, comm: \"victim\"}"
	[ "$(rss "${START[mixed]}")" -eq "$present" ] || fail 'something was brought in'
	vm_pin_is 0
	must no_pins
	run pinctl pin --pid "$VICTIM" "$(range_of mixed)" --dry-run
	done_well
	out_like "^dry run: 64 KiB in 1 range of victim\\[$VICTIM\\] would be pinned"
	out_has 'in memory         32 KiB'
	out_has 'to be brought in  32 KiB'
	out_has 'not charged: pinctl has CAP_IPC_LOCK'
}

a_dry_run_passes_over_what_a_pin_would() {
	local tried
	victim_start
	run pinctl pin --pid "$VICTIM" anon --dry-run --json
	done_well
	tried=$OUT
	must no_pins
	run pinctl pin --pid "$VICTIM" anon --json
	done_well
	json ".pin.bytes == $(gojq .dry_run.bytes <<<"$tried")"
	json ".passed_over == $(gojq .passed_over <<<"$tried")"
	unpin_all
}

a_dry_run_tells_the_refusal() {
	victim_start_as alice
	with_memlock 1048576:1048576 pinctl pin --pid "$VICTIM" "$(range_of anon)" --dry-run
	status_is 1
	out_has 'would be refused'
	out_has '0 in use now, 2 MiB then, 1 MiB allowed'
	err_has 'needs 2 MiB, 1 MiB allowed (RLIMIT_MEMLOCK'
	with_memlock 1048576:1048576 pinctl pin --pid "$VICTIM" "$(range_of anon)" --dry-run --json
	status_is 1
	json_error ENOMEM '"memlock"'
	json '.dry_run.possible == false and .dry_run.present == 2097152'
	json '.dry_run.memlock == {limit: 1048576, before: 0, after: 2097152}'
	run pinctl pin --pid "$VICTIM" "${START[anon]}+4M" --dry-run
	status_is 1
	out_has 'would be refused'
	err_has 'nothing is mapped there'
	must no_pins
}

is_revoked() { [[ $(pinctl status --json) == *'"state":"ended"'*'"ended":"revoked"'* ]]; }

unmapping_revokes() {
	victim_start
	run pinctl pin --pid "$VICTIM" "$(range_of anon)" --revocable --json
	done_well
	json '.pin.flags == ["longterm", "keep", "revocable"]'
	vm_pin_is 2048
	run pinctl status
	out_like ' longterm,keep,revocable '
	tell unmap shared
	vm_pin_is 2048
	tell unmap anon
	wait_until no_pins
	vm_pin_is 0
}

status_tells_what_was_revoked() {
	local command
	victim_start
	pinctl pin --pid "$VICTIM" "$(range_of anon)" --revocable -- sleep 1000 &
	command=$!
	wait_until comm_is "$command" sleep
	tell unmap anon
	wait_until is_revoked
	vm_pin_is 0
	run pinctl status
	out_has 'ended (revoked)'
	out_has 'revoked: an address shows another page now than was pinned there'
	kill "$command"
	wait_until no_pins
}

hold_tells_that_it_was_revoked() {
	local holder
	victim_start
	rm -f "$TMP/out"
	pinctl pin --pid "$VICTIM" "$(range_of anon)" --revocable --hold >"$TMP/out" 2>"$TMP/err" &
	holder=$!
	wait_until test -s "$TMP/out"
	tell unmap anon
	wait "$holder"
	STATUS=$? OUT=$(<"$TMP/out") ERR=$(<"$TMP/err")
	status_is 1
	err_has "handle $(handle) ended (revoked): an address shows another page now"
	must no_pins
}

test_that "a terminal shows how far it is" progress_is_shown
test_that "Ctrl-C half way leaves nothing" a_signal_half_way_leaves_nothing INT
test_that "SIGTERM half way leaves nothing" a_signal_half_way_leaves_nothing TERM
test_that "SIGKILL half way leaves nothing" a_signal_half_way_leaves_nothing KILL
test_that "nor does it with --ttl" a_signal_half_way_leaves_nothing KILL --ttl 1h
test_that "a signal at any time loses no handle" a_signal_at_any_time_loses_no_handle
test_that "the pin is that of one call" the_pin_is_that_of_one_call
test_that "a limit is told as of one call" a_limit_is_told_as_of_one_call
test_that "a hole in a later step is named" a_hole_in_a_later_step_is_named
test_that "a dry run agrees with the kernel" a_dry_run_agrees_with_the_kernel
test_that "a dry run passes over what a pin would" a_dry_run_passes_over_what_a_pin_would
test_that "a dry run tells the refusal" a_dry_run_tells_the_refusal
test_that "unmapping revokes" unmapping_revokes
test_that "status tells what was revoked" status_tells_what_was_revoked
test_that "--hold tells that it was revoked" hold_tells_that_it_was_revoked
finish
