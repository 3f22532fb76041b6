"""Bytes of a camera and what a network was trained with, from the definition of BT.601 (ITU-R BT.601-7, sections 2.5.1 to 2.5.4) by numpy.

Run it in this folder: `python3 make_conversion_cases.py` writes conversion_cases.json, which tests of src/float/image_conversion.rs read.
"""
import json

import numpy as np

RED, BLUE = 0.299, 0.114
GREEN = 1 - RED - BLUE


def encoded(space):
    """What luma and chroma are of red, green, blue in 0 to 1: a matrix and an offset, in bytes."""
    luma = np.array([RED, GREEN, BLUE])
    blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - BLUE))
    red = (np.array([1, 0, 0]) - luma) / (2 * (1 - RED))
    scale, offset = {"regular": ([255, 255, 255], [0, 128, 128]), "bt601_video": ([219, 224, 224], [16, 128, 128])}[space]
    return np.array(scale)[:, None] * np.stack([luma, blue, red]), np.array(offset, dtype=float)


def trained(rt, train, space, pixels):
    """Pixels in the order of `rt` as 0 to 255 (yuv444_128: -128 to 127) in the order of `train`."""
    if rt == train:
        return pixels
    if rt == "yuv444_128":
        rt, pixels = "yuv444", pixels + 128.0
    if rt in ("yuv444", "nv12") and train in ("rgb", "bgr"):
        matrix, offset = encoded(space)
        rgb = 255 * np.linalg.solve(matrix, (pixels - offset).T).T
        return rgb[:, ::-1] if train == "bgr" else rgb
    return pixels[:, ::-1] if rt in ("rgb", "bgr") else pixels


def main():
    pairs = [(t, t) for t in ("rgb", "bgr", "yuv444", "yuv444_128", "gray")] + [("rgb", "bgr"), ("bgr", "rgb"), ("nv12", "yuv444"), ("yuv444_128", "yuv444")]
    pairs += [(rt, train) for rt in ("yuv444", "yuv444_128", "nv12") for train in ("rgb", "bgr")]
    norms = [([], []), ([103.94, 116.78, 123.68], [0.017]), ([128.0], [0.0171, 0.0175, 0.0174])]
    random, cases = np.random.default_rng(601), []
    for rt, train in pairs:
        spaces = ["regular", "bt601_video"] if rt == "nv12" and train != "yuv444" else ["regular"]
        for space in spaces:
            for mean, scale in norms:
                channels = 1 if rt == "gray" else 3
                pixels = np.vstack([np.zeros(channels), np.full(channels, 255.0), random.integers(0, 256, (4, channels))])
                if rt == "yuv444_128":
                    pixels -= 128
                mean, scale = mean[:channels], scale[:channels]
                values = (trained(rt, train, space, pixels) - (mean or [0])) * (scale or [1])
                cases.append({"input_type_rt": rt, "input_type_train": train, "input_space_and_range": space, "mean": mean,
                              "scale": scale, "pixels": pixels.astype(int).tolist(), "expected": values.tolist()})
    with open("conversion_cases.json", "w") as file:
        json.dump(cases, file, indent=None, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
