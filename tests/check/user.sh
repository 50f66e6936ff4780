# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Gates for the library and the tool: what compilers see that look longer, and
# that the library's ABI only grows. They use the tree "nokernel".

# on_each COMMAND...: runs it on each source, with what the build would give it
on_each() {
	local file
	local -a flags
	cd "$TOP" || return
	read -ra flags <<<"-include $BUILD/nokernel/config.h -Ilib -Idriver/uapi -std=gnu11 \
		$(pkg-config --cflags libnl-genl-3.0 json-c)"
	while read -r file; do
		try "$file" "$1" "$file" "${flags[@]}"
	done < <(our_files 'lib/*.c' 'cli/*.c')
}

gcc_analyses() { gcc -O2 -fanalyzer -Wall -Werror -c -o /dev/null "$@"; }

analyzer_gate() { on_each gcc_analyses; }

clang_tidies() {
	local file=$1
	shift
	clang-tidy --quiet "$file" -- "$@"
}

clang_tidy_gate() { on_each clang_tidies; }

ABI=$TOP/lib/abi/libpinmem.abi
LIBRARY=$BUILD/nokernel/lib/.libs/libpinmem.so
# Structs that the header does not show may change.
PUBLIC=("$TOP/lib/pinmem.h" --drop-private-types)

# The ABI of the library that was built, and nothing of where that was. abidiff
# knows a file by its first line.
print_abi() {
	abidw --header-file "${PUBLIC[@]}" --exported-interfaces-only --type-id-style hash \
		--no-show-locs --no-corpus-path --no-comp-dir-path --no-elf-needed "$LIBRARY" |
		sed -e "s|$TOP/||" -e '1a <!-- SPDX-License-Identifier: LGPL-2.1-or-later -->' \
			-e '1a <!-- SPDX-FileCopyrightText: 2026 The pinmem authors -->'
}

# abi_keeps [--no-added-syms]: prints what changed; without additions, if so told
abi_keeps() { abidiff "$@" --header-file2 "${PUBLIC[@]}" "$ABI" "$LIBRARY"; }

abi_gate() {
	try "nothing of the library's ABI was removed or changed" abi_keeps --no-added-syms
	try "what was added is recorded (tests/check/abi-update does it)" abi_keeps
}
