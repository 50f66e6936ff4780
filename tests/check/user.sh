# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Gates for the library and the tool: what compilers see that look longer. They
# use the tree "nokernel".

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
