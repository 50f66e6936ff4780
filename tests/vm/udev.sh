#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# TAP, in the VM, before anything else there knows of pinmem: the files for
# udev, sysusers and modules-load, with the real programs that read them. Once
# in the wrong order, to see that the order matters; then in the right one.
set -u

# shellcheck source=tests/vm/tap.sh
. /usr/libexec/pinmem-tests/tap.sh
# shellcheck source=tests/vm/aside.sh
. /usr/libexec/pinmem-tests/aside.sh

NODE=/dev/pinmem

node_is() { is "$(stat -c '%U:%G %a' "$NODE")" "$1"; }

node_group_is() { is "$(stat -c %G "$NODE")" "$1"; }

is_loaded() { grep -q '^pinmem ' /proc/modules; }

load() { modprobe pinmem && udevadm settle; }

unload() { modprobe -r pinmem && udevadm settle && not test -e "$NODE"; }

take_sysusers() { put sysusers.d && systemd-sysusers; }

reload_rules() { udevadm control --reload; }

trigger() { udevadm trigger --settle --sysname-match=pinmem --subsystem-match=misc; }

# System groups are below SYS_GID_MAX, 999 on Debian.
is_system_group() {
	local gid
	gid=$(getent group pinmem | cut -d: -f3)
	echo "gid ${gid:-missing}"
	[ -n "$gid" ] && [ "$gid" -lt 1000 ]
}

as() {
	local user=$1
	shift
	setpriv --reuid="$user" --regid="$user" --init-groups "$@"
}

opens() {
	test -c "$NODE" || return
	# shellcheck disable=SC2016  # the inner shell's parameter
	as "$1" bash -c 'exec 3<>"$1"' opens "$NODE"
}

is_refused() {
	local said
	said=$(opens "$1" 2>&1)
	echo "$said"
	[[ $said == *"Permission denied"* ]]
}

modules_load_loads() {
	systemctl restart systemd-modules-load.service && udevadm settle && is_loaded
}

# The driver learns what proc's mem files are when it is loaded, and that may be
# where no /proc is mounted: in an initramfs, say.
loads_without_proc() {
	local module
	module=$(modinfo -n pinmem) || return
	# shellcheck disable=SC2016  # the inner shell's parameter
	unshare -m --propagation private \
		bash -c 'umount -l /proc && ! test -e /proc/self && insmod "$1"' insmod "$module" &&
		udevadm settle && is_loaded
}

# As pinctl says, when there is one.
can_pin_others() {
	local sleeper status
	sleep 60 &
	sleeper=$!
	pinctl pin --pid "$sleeper" anon
	status=$?
	kill "$sleeper"
	return "$status"
}

echo "TAP version 13"
check "nothing knows of pinmem before" not getent group pinmem

put rules.d
reload_rules
check "the module loads" load
check "a rule read before there is the group leaves the node to root" node_group_is root

check "systemd-sysusers takes the file" take_sysusers
check "pinmem is a system group" is_system_group

put rules.d
reload_rules
check "udev reads the rules anew" trigger
check "the node is root:pinmem 0660 then" node_is "root:pinmem 660"
check "unloading takes the node away" unload
check "the module loads again" load
check "and the node is root:pinmem 0660 at once" node_is "root:pinmem 660"

usermod -aG pinmem alice
check "a member of the group opens the node" opens alice
check "another user gets EACCES" is_refused bob
gpasswd -d alice pinmem >/dev/null

check "unloads" unload
put modules-load.d
check "systemd-modules-load loads the module" modules_load_loads
check "its node is root:pinmem 0660" node_is "root:pinmem 660"

check "unloads for the next" unload
check "the module loads where /proc is not mounted" loads_without_proc
if command -v pinctl >/dev/null; then
	check "and pins another process's memory all the same" can_pin_others
fi
finish
