# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
#
# Instructions a page by kind of memory. Wants data (a directory), svg and stamp.
set terminal svg size 960,680 font "sans,12" background "white"
set output svg
set datafile separator tab
set datafile missing "?"
set multiplot layout 2,1 title stamp font "sans,10" noenhanced
set style data histogram
set style histogram clustered gap 1
set style fill solid noborder
set boxwidth 0.9
set logscale y
set format y "%g"
set grid ytics lt 1 lc rgb "#dddddd"
set key outside bottom center horizontal noenhanced
set xtics scale 0
set yrange [0.0005:2000]
set title "pin: instructions a page of 4 KiB"
plot for [i=2:6] data."/pages-pin_ns.tsv" using i:xtic(1) title columnheader(i) lc i-1
set title "unpin: instructions a page of 4 KiB"
plot for [i=2:6] data."/pages-unpin_ns.tsv" using i:xtic(1) title columnheader(i) lc i-1
unset multiplot
