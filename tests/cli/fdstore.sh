#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# A service leaves the file of its pin with systemd (FileDescriptorStoreMax=), so
# that the pin is there longer than any process of the service.
set -u
# shellcheck source=tests/cli/lib.bash
. "${HERE:=/usr/libexec/pinmem-tests}/cli/lib.bash"

UNIT=pinmem-keeper.service
SAID=$TMP/said

is_unpinned() { [ "$(vm_pin "$VICTIM")" -eq 0 ]; }
last_said() { tail -n 1 "$SAID" | grep -qxE "$1"; }
main_pid() { systemctl show -P MainPID "$UNIT"; }
in_store() { systemctl show -P NFileDescriptorStore "$UNIT"; }

# start_keeper LINE...: the service, with these lines, for a victim's 2 MiB
start_keeper() {
	victim_start
	rm -f "$SAID"
	cat >"/run/systemd/system/$UNIT" <<-UNIT
		[Unit]
		StartLimitIntervalSec=0
		[Service]
		Type=notify
		ExecStart=$HERE/cli/keeper $SAID $VICTIM ${START[anon]} ${END[anon]}
		$(printf '%s\n' "$@")
	UNIT
	must systemctl daemon-reload
	must systemctl start "$UNIT"
	must last_said 'pinned [0-9]+'
	vm_pin_is 2048
}

stop_keeper() {
	must systemctl stop "$UNIT"
	rm -f "/run/systemd/system/$UNIT"
}

# It still asks about the pin, and reads by it.
kept_well() { last_said "kept $(sed -n 's/^pinned //p' "$SAID") live 2097152 1"; }

a_restart() {
	local pid
	start_keeper FileDescriptorStoreMax=1
	[ "$(in_store)" -eq 1 ] || fail "in the store: $(in_store)"
	pid=$(main_pid)
	must systemctl restart "$UNIT"
	[ "$(main_pid)" -ne "$pid" ] || fail "it was not restarted"
	must kept_well
	vm_pin_is 2048
	must systemctl restart "$UNIT"
	must kept_well
	vm_pin_is 2048
	run pinctl status --json
	json '.pins | length == 1 and .[0].state == "live"'
	stop_keeper
	wait_until is_unpinned
	must no_pins
}

a_crash() {
	start_keeper FileDescriptorStoreMax=1 Restart=always RestartSec=300ms
	must kill -KILL "$(main_pid)"
	sleep 0.1
	vm_pin_is 2048
	wait_until kept_well
	vm_pin_is 2048
	stop_keeper
	wait_until is_unpinned
}

the_store_is_emptied() {
	start_keeper FileDescriptorStoreMax=1
	must systemctl restart "$UNIT"
	must kept_well
	must kill -USR1 "$(main_pid)"
	wait_until last_said gone
	wait_until is_unpinned
	must systemctl is-active --quiet "$UNIT"
	[ "$(in_store)" -eq 0 ] || fail "in the store: $(in_store)"
	stop_keeper
}

# The witness: it is the store that keeps the pin.
no_store() {
	start_keeper FileDescriptorStoreMax=0
	must systemctl restart "$UNIT"
	must last_said 'pinned [0-9]+'
	[ "$(grep -c '^pinned' "$SAID")" -eq 2 ] || fail "$(<"$SAID")"
	vm_pin_is 2048
	stop_keeper
	wait_until is_unpinned
}

the_target_ends() {
	start_keeper FileDescriptorStoreMax=1
	kill -KILL "$VICTIM"
	wait_until is_gone "$VICTIM"
	wait_until ended
	stop_keeper
	must no_pins
}
ended() { [[ $(pinctl status --json) == *'"state":"ended"'* ]]; }

test_that "a pin in systemd's store lives through a restart" a_restart
test_that "and through a crash" a_crash
test_that "it ends when the store is emptied" the_store_is_emptied
test_that "without a store it ends with the service" no_store
test_that "in the store it tells that its target has ended" the_target_ends
finish
