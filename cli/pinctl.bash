# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Completion of pinctl(1) for bash.

_pinctl_options() {
	case $1 in
	pin) echo '--pid --write --longterm --short --get --ttl --revocable --slow --populate --dry-run --hold --read-only-fd --json --help' ;;
	unpin) echo '--pid --all --all-users --force --json --help' ;;
	status) echo '--pid --json --help' ;;
	query) echo '--pid --runs --json --help' ;;
	read) echo '--hex --fd --json --help' ;;
	renew | write | extents) echo '--fd --json --help' ;;
	bench) echo '--size --passes --memory --mode --access --short --json --help' ;;
	*) echo '--json --help --version' ;;
	esac
}

_pinctl_pids() {
	local dir
	for dir in /proc/[0-9]*; do
		echo "${dir#/proc/}"
	done
}

_pinctl_handles() {
	pinctl status 2>/dev/null | while read -r handle _; do
		case $handle in
		*[!0-9]* | '') ;;
		*) echo "$handle" ;;
		esac
	done
}

_pinctl_verb() {
	local word
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		-* | help) ;;
		*) echo "$word" && return ;;
		esac
	done
}

# What may follow, without options: RANGE words only make sense with --pid.
_pinctl_arguments() {
	case $1 in
	pin) echo 'heap stack anon all map:' ;;
	query)
		case " ${COMP_WORDS[*]} " in
		*' --pid'* | *' -p'*) echo 'heap stack anon all map:' ;;
		*) _pinctl_handles ;;
		esac
		;;
	unpin | status | renew | read | write | extents) _pinctl_handles ;;
	bench) ;;
	*) echo 'pin unpin status query renew read write extents bench help' ;;
	esac
}

# What may follow an option.
_pinctl_values() {
	case $1 in
	--pid | -p) _pinctl_pids ;;
	--memory | -m) echo 'small thp hugetlb-2M hugetlb-1G memfd' ;;
	--mode) echo 'own remote slow' ;;
	--access) echo 'write read' ;;
	*) return 1 ;;
	esac
}

_pinctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb words
	verb=$(_pinctl_verb)
	COMPREPLY=()
	[ "$prev" != : ] || return 0
	if words=$(_pinctl_values "$prev"); then
		:
	elif [[ $cur == -* ]]; then
		words=$(_pinctl_options "$verb")
	else
		words=$(_pinctl_arguments "$verb")
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	[ "${COMPREPLY[*]}" != map: ] || compopt -o nospace 2>/dev/null
}

complete -F _pinctl pinctl
