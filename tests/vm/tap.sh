# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# For tests in shell that run in the VM: TAP, a check at a time.

tap_count=0
tap_failed=0

# check WHAT COMMAND...: one test; what the command says is shown if it fails
check() {
	local what=$1 said
	shift
	tap_count=$((tap_count + 1))
	if said=$("$@" 2>&1 </dev/null); then
		echo "ok $tap_count - $what"
	else
		echo "not ok $tap_count - $what"
		printf '%s\n' "$said" | sed 's/^/# /'
		tap_failed=1
	fi
}

# The plan, and the exit status.
finish() {
	echo "1..$tap_count"
	return "$tap_failed"
}

is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'" && false; }; }

not() { ! "$@"; }
