# SPDX-License-Identifier: GPL-2.0
"""Plots as SVG, drawn by gnuplot."""

import subprocess


def draw(path, height, lines):
    head = [f'set terminal svg size 900,{height} font "sans,11" background "white"',
            f'set output "{path}"']
    subprocess.run(["gnuplot"], input="\n".join(head + lines) + "\n", text=True, check=True)


def block(name, rows):
    return [f"${name} << END", *rows, "END"]


def label(text):
    return '"' + text.replace("_", " ") + '"'


def ratios(path, title, rows):
    """rows: (text, ratio), each a line from its least to its most and a point."""
    rows = list(reversed(rows))
    data = [f"{label(text)} {at} {found.value:.4f} {found.low:.4f} {found.high:.4f}"
            for at, (text, found) in enumerate(rows)]
    draw(path, 110 + 19 * len(rows), block("data", data) + [
        f"set title {label(title)}", "unset key", "set grid x", "set logscale x 2",
        'set xlabel "times as long as ours (right of 1: ours is faster); median, and each round"',
        f"set yrange [-0.7:{len(rows) - 0.3}]",
        "set arrow from 1, graph 0 to 1, graph 1 nohead lw 2",
        'plot $data using 3:2:4:5:ytic(1) with xerrorbars pointtype 7 pointsize 0.7 lw 1.5'])


def times(path, title, drivers, rows):
    """rows: (text, times of the drivers in microseconds, or None)."""
    data = [" ".join([label(text), *("NaN" if time is None else f"{time:.2f}" for time in found)])
            for text, found in rows]
    draw(path, 420, block("data", data) + [
        f"set title {label(title)}", "set style data histograms", "set style fill solid 0.8",
        "set logscale y", "set grid y", 'set ylabel "microseconds"', "set xtics rotate by -35",
        "set key top left",
        "plot " + ", ".join(f"$data using {column}{':xtic(1)' if column == 2 else ''} "
                            f"title {label(driver)}"
                            for column, driver in enumerate(drivers, 2))])
