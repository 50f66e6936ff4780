# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# What check, demo and tests/vm/boot have in common: places, messages, time,
# and who the files belong to at the end.

# shellcheck disable=SC2034  # the scripts that source this use them
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$TOP/build
LOGS=$BUILD/logs
KERNEL_SERIES=(6.12 6.1)
STOCK_KERNELS=("${KERNEL_SERIES[@]}" rt-6.12 rt-6.1)

export DEBIAN_FRONTEND=noninteractive
export LC_ALL=C.UTF-8

say() { printf '%s\n' "$*"; }

# Progress, to file descriptor $NOTES: a function can still print an answer.
NOTES=2
note() { printf '%6ds  %s\n' "$SECONDS" "$*" >&"$NOTES"; }

# What the caller cannot go on without: exit status 2, as for wrong usage.
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 2
}

# The lines of a list file, without comments and empty ones.
list() { sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$@"; }

# The person behind sudo, or nobody.
called_by_sudo() { [ "$(id -u)" -eq 0 ] && [ -n "${SUDO_UID-}" ] && [ "$SUDO_UID" -ne 0 ]; }

home_of_caller() {
	if called_by_sudo; then
		getent passwd "$SUDO_UID" | cut -d: -f6
	else
		printf '%s\n' "${HOME:-/root}"
	fi
}

cache_dir() {
	local xdg=${XDG_CACHE_HOME-}
	printf '%s\n' "${PINMEM_CACHE:-${xdg:-$(home_of_caller)/.cache}/pinmem}"
}
CACHE=$(cache_dir)

# Under sudo everything made here belongs to the calling user afterwards.
give_back() {
	called_by_sudo || return 0
	# shellcheck disable=SC2153  # sudo sets both
	find "$TOP" "$CACHE" -user root -exec chown -h "$SUDO_UID:$SUDO_GID" {} +
}
