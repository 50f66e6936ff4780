# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# The cache: things that are slow to make and depend on package versions only.
# A thing is named KIND and keyed by what it was made of; it lives in
# $CACHE/KIND-KEY. It is made beside and renamed when complete, so a run
# killed half way leaves nothing that looks whole.

# cached KIND KEY MAKER [ARG...]: prints the directory; calls MAKER DIR ARG...
# if there is none yet, and removes what other keys of this kind left.
cached() {
	local kind=$1 key=$2 maker=$3
	shift 3
	local dir=$CACHE/$kind-$key
	mkdir -p "$CACHE"
	if [ ! -d "$dir" ]; then
		# One maker of a kind at a time; the second finds the first one's work.
		(flock 8 && make_cached "$kind" "$dir" "$maker" "$@") 8>"$CACHE/.$kind.lock" || return 1
	fi
	printf '%s\n' "$dir"
}

make_cached() {
	local kind=$1 dir=$2 maker=$3
	shift 3
	[ ! -d "$dir" ] || return 0
	remove_cached "$kind"
	mkdir "$dir.part" && "$maker" "$dir.part" "$@" && mv "$dir.part" "$dir"
}

remove_cached() {
	local old
	for old in "$CACHE/$1"-*; do
		[ ! -d "$old" ] || rm -rf "$old"
	done
}
