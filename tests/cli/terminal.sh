#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# A pin that lasts, because a page of the process never comes: what a terminal
# shows meanwhile, and that every way out leaves nothing behind.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

DEFAULT=(env --default-signal=INT --default-signal=HUP --default-signal=TERM)

# On a terminal of its own, whose output goes to a file; PINNER is pinctl.
pin_start() {
	victim_start
	tell silent
	rm -f "$TMP/terminal"
	"${DEFAULT[@]}" script -qefc "pinctl pin --pid $VICTIM $(range_of anon) $(range_of silent)" \
		"$TMP/terminal" >/dev/null 2>&1 </dev/null &
	wait_until pinner_is_there
}

pinner_is_there() { PINNER=$(pgrep -x pinctl); }

shows() { grep -q "$1" "$TMP/terminal"; }

the_time_is_shown() {
	pin_start
	wait_until shows 'pinctl: pinning, 1 s'
	wait_until shows 'pinctl: pinning, 2 s'
	kill -KILL "$PINNER"
	wait_until is_gone "$PINNER"
}

the_time_is_not_shown_elsewhere() {
	victim_start
	tell silent
	timeout 2.5 pinctl pin --pid "$VICTIM" "$(range_of silent)" >"$TMP/out" 2>"$TMP/err"
	is "$(cat "$TMP/out" "$TMP/err")" '' || fail "it said something"
}

a_signal_leaves_nothing() {
	pin_start
	sleep 0.5
	kill "-$1" "$PINNER"
	wait_until is_gone "$PINNER"
	wait_until no_pins
	vm_pin_is 0
}

# The last moments of a process can be enough for the pin to be made.
the_end_of_the_process_ends_it() {
	pin_start
	kill -KILL "$VICTIM"
	wait_until is_gone "$PINNER"
	cat "$TMP/terminal"
	wait_until no_pins
}

test_that "a terminal shows the time it takes" the_time_is_shown
test_that "nothing else does" the_time_is_not_shown_elsewhere
test_that "Ctrl-C leaves nothing behind" a_signal_leaves_nothing INT
test_that "SIGTERM leaves nothing behind" a_signal_leaves_nothing TERM
test_that "SIGKILL leaves nothing behind" a_signal_leaves_nothing KILL
test_that "the end of the process ends it" the_end_of_the_process_ends_it
finish
