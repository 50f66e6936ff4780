# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# The host: is it one we know, is it large enough, and are its packages there.
# apt-get is the only thing that ever asks for privilege.

MIN_DISK_GB=10		# with an empty cache
MIN_DISK_GB_CACHED=3
MIN_MEMORY_GB=4

os_name() {
	(
		# shellcheck disable=SC1091  # the host's own file
		. /etc/os-release 2>/dev/null && printf '%s' "${PRETTY_NAME:-$ID}"
	) || uname -s
}

is_debian_12() {
	(
		# shellcheck disable=SC1091  # the host's own file
		. /etc/os-release 2>/dev/null && [ "$ID:${VERSION_ID-}" = debian:12 ]
	)
}

need_debian_12() {
	if is_debian_12 && [ "$(dpkg --print-architecture)" = amd64 ]; then return; fi
	die "needs Debian 12's packages; found $(os_name) on $(uname -m); run it in a" \
		"debian:12 container (no device and no privileges needed: the VM runs under TCG)"
}

free_gb() {
	local there=$1
	while [ ! -d "$there" ]; do there=$(dirname "$there"); done
	df -k --output=avail "$there" | awk 'NR == 2 { print int($1 / 1048576) }'
}

memory_gb() { awk '/^MemTotal:/ { printf "%.0f\n", $2 / 1048576 }' /proc/meminfo; }

disk_needed_gb() {
	if compgen -G "$CACHE/rootfs-*" >/dev/null; then
		echo "$MIN_DISK_GB_CACHED"
	else
		echo "$MIN_DISK_GB"
	fi
}

need_room() {
	local place need
	need=$(disk_needed_gb)
	# A machine sold as 4 GiB shows a little less; memory_gb rounds.
	[ "$(memory_gb)" -ge "$MIN_MEMORY_GB" ] ||
		die "needs $MIN_MEMORY_GB GiB of memory; found $(memory_gb) GiB"
	for place in "$CACHE" "$TOP"; do
		[ "$(free_gb "$place")" -ge "$need" ] ||
			die "needs $need GB of disk for $place; $(free_gb "$place") GB are free" \
				"(PINMEM_CACHE=DIR moves the cache)"
	done
}

host_packages() {
	list "$TOP/tests/vm/host-packages"
	# A plain user's rootfs is made in a user namespace.
	[ "$(id -u)" -eq 0 ] || echo uidmap
}

missing_packages() {
	local wanted have
	wanted=$(host_packages | sort -u)
	# shellcheck disable=SC2016,SC2086  # dpkg-query's variables; one word a package
	have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
		awk '$2 == "installed" { print $1 }' | sort -u)
	comm -23 <(printf '%s\n' "$wanted") <(printf '%s\n' "$have")
}

# apt-get with privilege: as root, or by sudo after saying why.
privileged_apt() {
	local why=$1
	shift
	if [ "$(id -u)" -eq 0 ]; then
		apt-get "$@" </dev/null >"$LOGS/apt.log" 2>&1
	elif command -v sudo >/dev/null; then
		note "sudo apt-get: $why"
		# shellcheck disable=SC2024  # the log is ours, not root's
		sudo DEBIAN_FRONTEND=noninteractive apt-get "$@" >"$LOGS/apt.log" 2>&1
	else
		die "this needs root ($why), and there is no sudo here: as root run" \
			"'apt-get $*' and start again"
	fi
}

# Are there lists, and do they know the kernels and this package?
lists_know() { apt-cache show --no-all-versions "$@" >/dev/null 2>&1; }

refresh_lists() {
	privileged_apt "the package lists are missing or too old" update -q
}

need_lists() {
	lists_know linux-image-6.12-amd64 linux-headers-6.12-amd64 mmdebstrap || refresh_lists
	lists_know linux-image-6.12-amd64 ||
		die "apt knows no linux-image-6.12-amd64: add bookworm-security to its sources"
}

install_packages() {
	local -a line=(install -y -q --no-install-recommends --no-remove "$@")
	privileged_apt "to install $*" "${line[@]}"
}

# Old lists name versions that the mirror has dropped: refresh once, try again.
need_packages() {
	local -a missing
	mapfile -t missing < <(missing_packages)
	[ "${#missing[@]}" -gt 0 ] || return 0
	note "host packages: installing ${missing[*]}"
	install_packages "${missing[@]}" || {
		refresh_lists
		install_packages "${missing[@]}"
	} || {
		tail -n 20 "$LOGS/apt.log" >&2
		die "apt-get install failed; the whole log is $LOGS/apt.log"
	}
}

prepare_host() {
	need_debian_12
	need_room
	mkdir -p "$LOGS"
	need_lists
	need_packages
}
