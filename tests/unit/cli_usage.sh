#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# What pinctl says and how it exits before it needs the device.
set -u
# shellcheck source=tests/vm/tap.sh
. "${top_srcdir:?}/tests/vm/tap.sh"

pinctl=${top_builddir:?}/cli/pinctl

# usage_error PART ARGUMENT...: exit status 2, nothing on stdout, PART on stderr
usage_error() {
	local part=$1 said status
	shift
	said=$("$pinctl" "$@" 2>&1 >/dev/null)
	status=$?
	[ "$status" -eq 2 ] || { echo "exit status $status"; return 1; }
	[ -z "$("$pinctl" "$@" 2>/dev/null)" ] || { echo "wrote to stdout"; return 1; }
	[[ $said == *"$part"* ]] || { echo "said: $said"; return 1; }
}

# teaches PART ARGUMENT...: exit status 0, PART on stdout
teaches() {
	local part=$1 said
	shift
	said=$("$pinctl" "$@") || return
	[[ $said == *"$part"* ]] || { echo "said: $said"; return 1; }
}

full_is_noticed() {
	local said
	said=$("$pinctl" "$@" 2>&1 >/dev/full)
	is $? 1 && [[ $said == *'No space left on device'* ]]
}

closed_is_noticed() {
	"$pinctl" --help >&- 2>/dev/null
	is $? 1
}

lines_fit() {
	"$pinctl" "$@" | awk 'length > 80 { print; bad = 1 } END { exit bad }'
}

GRAMMAR='RANGE is ADDR+LEN, START-END, heap, stack, anon, all or map:SUBSTRING'

check "nothing at all" usage_error Usage:
check "no such verb" usage_error "'frob' is no verb" frob
check "no such option" usage_error "unrecognized option '--frob'" --frob
check "no such option of a verb" usage_error "unrecognized option '--frob'" status --frob
check "pin without a process" usage_error '--pid PID is missing' pin heap
check "pin without a range" usage_error "$GRAMMAR" pin --pid 1
check "pin of a bad process" usage_error "'x1' is no process number" pin --pid x1 heap
check "pin of process 0" usage_error "'0' is no process number" pin --pid 0 heap
check "a bad range is quoted, with the grammar" usage_error "'foo' is no RANGE" pin --pid 1 foo
check "a bad range shows the grammar" usage_error "$GRAMMAR" pin --pid 1 foo
check "a bad range after a good one" usage_error "'rw-p' is no RANGE" pin --pid 1 heap rw-p
check "a bad range before the process" usage_error "'foo' is no RANGE" pin foo --pid 1
check "a range that ends where it starts" usage_error 'END, which is exclusive' pin --pid 1 1000-1000
check "a range that wraps" usage_error 'wraps around' pin --pid 1 fffffffffffff000+4K
check "a range without length" usage_error 'the length is 0' pin --pid 1 1000+0
check "an empty map:" usage_error "'map:' is no RANGE" pin --pid 1 map:
check "a bad word does a terminal no harm" usage_error "'\\033[31m' is no RANGE" pin --pid 1 $'\e[31m'
check "short and longterm" usage_error 'exclude each other' pin --pid 1 heap --short --longterm --hold
check "short without an end" usage_error 'must not be left behind' pin --pid 1 heap --short --ttl none
check "get without an end" usage_error 'must not be left behind' pin --pid 1 heap --get --ttl none
check "get and longterm" usage_error 'exclude each other' pin --pid 1 heap --get --longterm
check "get and write" usage_error 'exclude each other' pin --pid 1 heap --get --write
check "get and revocable" usage_error 'exclude each other' pin --pid 1 heap --get --revocable
check "a dry run and hold" usage_error '--dry-run excludes --hold and a COMMAND' pin --pid 1 heap --dry-run --hold
check "a dry run and a command" usage_error '--dry-run excludes --hold and a COMMAND' pin --pid 1 heap --dry-run -- true
check "a read-only file for nobody" usage_error '--read-only-fd goes with a COMMAND' pin --pid 1 heap --read-only-fd
check "a read-only file of a dry run" usage_error '--dry-run excludes' pin --pid 1 heap --read-only-fd --dry-run -- true
check "revocable is for pin" usage_error "unrecognized option '--revocable'" unpin 7 --revocable
check "a dry run is for pin" usage_error "unrecognized option '--dry-run'" unpin 7 --dry-run
check "a read-only file is for pin" usage_error "unrecognized option '--read-only-fd'" renew 7 5s --read-only-fd
check "a bad time" usage_error "'9x' is no TIME" pin --pid 1 heap --ttl 9x
check "no time" usage_error 'it is no time at all' pin --pid 1 heap --ttl 0s
check "too long a time" usage_error 'the time is too long' pin --pid 1 heap --ttl 999999999999d
check "a command and hold" usage_error 'a COMMAND excludes --hold' pin --pid 1 heap --hold -- true
check "a command and json" usage_error 'a COMMAND excludes --hold and --json' pin --pid 1 heap --json -- true
check "a command and no range" usage_error 'a RANGE is missing' pin --pid 1 -- heap
check "renew what" usage_error 'name one HANDLE and the TIME' renew
check "renew until when" usage_error 'name one HANDLE and the TIME' renew 7
check "renew for no time" usage_error "'soon' is no TIME" renew 7 soon
check "renew a bad handle" usage_error "'x' is no HANDLE" renew x 5s
check "read what" usage_error 'name one HANDLE, the OFFSET and the LEN' read 7 0
check "read from nowhere" usage_error "'x' is no OFFSET" read 7 x 1
check "read no length" usage_error "'x' is no LEN" read 7 0 x
check "read a bad file" usage_error "'x' is no number of an open file" read --fd x 7 0 1
check "write what" usage_error 'name one HANDLE and the OFFSET' write 7
check "write to nowhere" usage_error "'-' is no OFFSET" write 7 -
check "extents of what" usage_error 'name one HANDLE' extents
check "extents of a bad handle" usage_error "'heap' is no HANDLE" extents heap
check "unpin what" usage_error 'name a HANDLE, --pid PID, or --all' unpin
check "unpin a bad handle" usage_error "'7x' is no HANDLE" unpin 7x
check "unpin handles and all" usage_error 'exclude each other' unpin 7 --all
check "unpin a process and all" usage_error 'exclude each other' unpin --pid 7 --all
check "unpin handles of all users" usage_error '--all-users goes with' unpin 7 --all-users
check "all users of what" usage_error 'name a HANDLE, --pid PID, or --all' unpin --all-users
check "force goes with handles" usage_error '--force goes with HANDLEs' unpin --all --force
check "status of a bad handle" usage_error "'x' is no HANDLE" status x
check "status of handles and a process" usage_error 'exclude each other' status 7 --pid 8
check "query what" usage_error 'name one HANDLE' query
check "query two handles" usage_error 'name one HANDLE' query 7 8
check "query a bad range" usage_error "$GRAMMAR" query --pid 7 8
check "bench of what" usage_error "'heap': bench takes options only" bench heap
check "bench of a bad size" usage_error "'x' is no SIZE: a number is missing" bench --size x
check "bench of nothing" usage_error "'0' is no SIZE: there is nothing to pin" bench --size 0
check "bench of too much" usage_error "is no SIZE: the length is too large" bench --size 0xffffffffffffffff
check "bench in one pass" usage_error "'1' is no number of passes: 2, since the first is told apart" bench --passes 1
check "bench in bad passes" usage_error "'two' is no number of passes" bench --passes two
check "bench in too many passes" usage_error "'4294967296' is no number of passes" bench --passes 4294967296
check "bench of no such memory" usage_error "'huge' is no KIND of memory: small, thp" bench --memory small,huge
check "bench of an empty kind" usage_error "'' is no KIND of memory" bench --memory small,
check "bench in no such mode" usage_error "'fast' is no MODE: own, remote or slow" bench --mode fast
check "bench in another's mode" usage_error "'-' is no MODE" bench --mode -
check "bench with no such access" usage_error "'rw' is no ACCESS: write or read" bench --access rw
check "help of no such verb" usage_error "'frob' is no verb" help frob

for verb in pin unpin status query renew read write extents bench; do
	check "$verb --help teaches by examples" teaches 'Examples:' $verb --help
	check "help $verb" teaches "Usage: pinctl $verb" help $verb
	check "$verb --usage" teaches "Usage: pinctl $verb" $verb --usage
	check "$verb --help fits a terminal" lines_fit $verb --help
	check "$verb --help >/dev/full" full_is_noticed $verb --help
done
check "--help lists the verbs" teaches '  unpin    End pins' --help
check "--help fits a terminal" lines_fit --help
check "help" teaches '  unpin    End pins' help
check "pin --help warns of fork" teaches 'fork() of the process copies' pin --help
check "pin --help tells of steps" teaches 'Much memory is pinned in steps' pin --help
check "pin --help tells of dry runs" teaches 'A --dry-run tells beforehand' pin --help
check "pin --help tells of revocable pins" teaches 'A --revocable pin ends when' pin --help
check "pin --help tells of read-only files" teaches 'COMMAND may read what the pin' pin --help
check "status --help tells why pins end" teaches 'revoked (an address shows' status --help
check "pin --help says what is not pinned" teaches 'later mappings and stack growth are not' pin --help
check "--version" teaches 'libpinmem ' --version
check "--help >/dev/full" full_is_noticed --help
check "--version >/dev/full" full_is_noticed --version
check "--help >&-" closed_is_noticed

finish
