# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# What a page costs in calls of all sizes, and beside other pins. Wants data (a
# directory), svg and stamp.
set terminal svg size 960,680 font "sans,12" background "white"
set output svg
set datafile separator tab
set datafile missing "?"
set multiplot layout 2,1 title stamp font "sans,10" noenhanced
set style data linespoints
set logscale xy
set format y "%g"
set grid xtics ytics lt 1 lc rgb "#dddddd"
set key outside bottom center horizontal noenhanced
set title "pin and unpin: instructions a page, against the size of the call"
set xtics ("4 KiB" 2.0**12, "64 KiB" 2.0**16, "1 MiB" 2.0**20, "16 MiB" 2.0**24, \
	"256 MiB" 2.0**28, "4 GiB" 2.0**32)
plot data."/sizes-pinmem.tsv" title "pinmem" pt 7 ps 0.6, \
	data."/sizes-io_uring.tsv" title "io_uring" pt 7 ps 0.6, \
	data."/sizes-gup_test.tsv" title "gup_test -a" pt 7 ps 0.6, \
	data."/sizes-thp.tsv" title "pinmem, 2 MiB THP" pt 7 ps 0.6
set title "pin and unpin: instructions a page, against the pins that are there beside"
set xtics ("1" 1, "10" 10, "100" 100, "1,000" 1e3, "10,000" 1e4, "100,000" 1e5, \
	"1,000,000" 1e6)
plot data."/live-page.tsv" title "one page a call" pt 7 ps 0.6, \
	data."/live-large.tsv" title "64 MiB a call" pt 7 ps 0.6
unset multiplot
