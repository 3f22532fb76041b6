"""Regions of planes in another size, bilinear, by numpy: the picture is cut, and cells between the middles of its cells are mixed.

Run it in this folder: `python3 make_region_cases.py` writes region_cases.json, which tests of src/numerics/roi_resize.rs read. Weights are the
exact fractions, rounded to 11 bits, and the sum is rounded once, both to even.
"""
import json
from fractions import Fraction

import numpy as np

ONE = 2**11


def matrix(size, start, end, block, cells):
    """Weights of `cells` cells of `block` pixels for each of `size` cells of the result, in 1/ONE."""
    weights = np.zeros((size, cells), dtype=np.int64)
    cut = range(start // block, (end - 1) // block + 1)
    for position in range(size):
        # The middle of a cell of the result, in pixels, then in cells of the plane, whose middles are at 0, 1, 2..
        middle = (start + Fraction(2 * position + 1, 2) * Fraction(end - start, size)) / block - Fraction(1, 2)
        before = middle.numerator // middle.denominator
        second = round((middle - before) * ONE)
        for cell, weight in ((before, ONE - second), (before + 1, second)):
            weights[position, min(max(cell, cut[0]), cut[-1])] += weight
    return weights


def main():
    random, cases = np.random.default_rng(11), []
    shapes = [((5, 9), (1, 2, 8, 5), 1, (7, 13)), ((12, 17), (0, 0, 17, 12), 1, (4, 5)), ((6, 6), (2, 1, 3, 2), 1, (3, 4)),
              ((4, 7), (1, 1, 12, 7), 2, (5, 3)), ((9, 4), (3, 0, 6, 17), 2, (4, 8)), ((8, 8), (0, 0, 8, 8), 1, (8, 8)),
              ((64, 48), (5, 7, 44, 61), 1, (28, 28)), ((3, 3), (0, 0, 3, 3), 1, (1, 1))]
    for (rows, columns), (left, top, right, bottom), block, (height, width) in shapes:
        plane = random.integers(0, 256, (rows, columns))
        down, across = matrix(height, top, bottom, block, rows), matrix(width, left, right, block, columns)
        # Halves are exact in float64, and numpy rounds them to even.
        resized = np.round((down @ (plane - 128) @ across.T) / ONE**2)
        cases.append({"plane": plane.tolist(), "region": [left, top, right, bottom], "block": block, "size": [height, width],
                      "expected": resized.astype(int).tolist()})
    with open("region_cases.json", "w") as file:
        json.dump(cases, file, indent=None, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
