#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# pinctl pin --hold: how it starts, and every way it ends.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

is_pinned() { [ "$(vm_pin "$VICTIM")" -eq 2048 ]; }
is_unpinned() { [ "$(vm_pin "$VICTIM")" -eq 0 ]; }

# hold_start ARGUMENT...: HOLDER is its number
hold_start() {
	victim_start
	rm -f "$TMP/held"
	"${WRAP[@]}" pinctl pin --pid "$VICTIM" "$(range_of anon)" --hold "$@" >"$TMP/held" 2>"$TMP/said" &
	HOLDER=$!
	wait_until test -s "$TMP/held"
	OUT=$(<"$TMP/held")
	wait_until is_pinned
}
# Signals that a shell's background job ignores would stay ignored.
WRAP=(env --default-signal=INT --default-signal=HUP --default-signal=TERM)

hold_ends_with() {
	wait "$HOLDER"
	STATUS=$?
	ERR=$(<"$TMP/said")
	status_is "$1"
}

says_so() {
	hold_start
	out_is "handle $(handle): 2 MiB in 1 range, held until process $VICTIM ends or pinctl is stopped (Ctrl-C)"
	run pinctl status --json
	json '.pins[0].flags == ["longterm"]'
	json ".pins[0].owner == {uid: 0, pid: $HOLDER, comm: \"pinctl\", gone: false}"
	kill -TERM "$HOLDER"
	hold_ends_with 0
}

a_signal_ends_it_well() {
	hold_start "${@:2}"
	kill "-$1" "$HOLDER"
	hold_ends_with 0
	err_is ''
	must is_unpinned
}

kill_leaves_nothing() {
	hold_start
	kill -KILL "$HOLDER"
	wait_until is_unpinned
}

an_ignored_signal_stays_ignored() {
	WRAP=(nohup)
	hold_start
	kill -HUP "$HOLDER"
	sleep 0.5
	must is_pinned
	kill -TERM "$HOLDER"
	hold_ends_with 0
}

the_end_of_the_process_is_told() {
	hold_start
	kill -KILL "$VICTIM"
	hold_ends_with 1
	err_has "handle $(handle) ended: victim[$VICTIM] has ended"
}

exec_of_the_process_is_told() {
	hold_start
	echo exec >&"${VICTIM_IO[1]}"
	hold_ends_with 1
	err_has "handle $(handle) ended (target): victim[$VICTIM] ended, or runs another program now"
}

unpin_by_another_is_told() {
	hold_start
	run pinctl unpin "$(handle)"
	failed_with "handle $(sed -n 's/^handle \([0-9]*\): .*/\1/p' "$TMP/held"): owner: pinctl[$HOLDER], ends with it; a device may be using its pages: end it with pinctl unpin --force"
	must is_pinned
	run pinctl unpin --force "$(sed -n 's/^handle \([0-9]*\): .*/\1/p' "$TMP/held")"
	done_well
	hold_ends_with 1
	err_has 'ended: it was unpinned by someone else'
}

short_holds() {
	hold_start --short
	run pinctl status
	out_like ' short '
	run pinctl status --json
	json '.pins[0].flags == []'
	kill -INT "$HOLDER"
	hold_ends_with 0
}

json_is_one_document() {
	hold_start --json
	json '.pin.flags == ["longterm"]'
	kill -TERM "$HOLDER"
	hold_ends_with 0
}

test_that "--hold says until when, and owns the pin" says_so
test_that "SIGINT ends it well" a_signal_ends_it_well INT
test_that "SIGTERM ends it well" a_signal_ends_it_well TERM --longterm
test_that "SIGHUP ends it well" a_signal_ends_it_well HUP
test_that "SIGKILL leaves nothing pinned" kill_leaves_nothing
test_that "under nohup SIGHUP does not end it" an_ignored_signal_stays_ignored
test_that "the process's end is told, status 1" the_end_of_the_process_is_told
test_that "the process's exec is told, status 1" exec_of_the_process_is_told
test_that "another's unpin needs --force, and is told" unpin_by_another_is_told
test_that "--short --hold" short_holds
test_that "--hold --json prints its document at once" json_is_one_document
finish
