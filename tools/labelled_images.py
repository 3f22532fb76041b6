"""Pictures of ../shared/data as networks take them, to calibrate and to judge. For evaluate.py and evaluate_tasks.py.

Each function takes the folder of the data and "calib" or "eval", and gives float32 samples [N, 1, C, H, W] and labels, None where there are none.
"""
import glob, struct
import numpy as np
from PIL import Image

IMAGENET = np.array([123.675, 116.28, 103.53], np.float32), np.array([58.395, 57.12, 57.375], np.float32)


def idx(path):
    raw = open(path, "rb").read()
    shape = struct.unpack(">" + "I" * raw[3], raw[4:4 + 4 * raw[3]])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def pixels(paths, prepare, mean, deviation, order=slice(None)):
    """Pictures as [1, 3, H, W] each."""
    rows = (np.asarray(prepare(Image.open(path).convert("RGB")), np.float32)[..., order] for path in paths)
    return np.stack([((row - mean) / deviation).astype(np.float32).transpose(2, 0, 1)[None] for row in rows])


def mnist(data, part):
    return idx(f"{data}/images/mnist_{part}-images-idx3-ubyte")[:, None, None], idx(f"{data}/images/mnist_{part}-labels-idx1-ubyte")


def cifar10(data, part):
    rows = np.frombuffer(open(f"{data}/images/cifar10_{part}.bin", "rb").read(), np.uint8).reshape(-1, 3073)
    mean, deviation = (np.array(v, np.float32)[:, None, None] for v in ([.485, .456, .406], [.229, .224, .225]))
    return ((rows[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255 - mean) / deviation)[:, None], rows[:, 0]


def imagenet(data, part):
    rows = [line.split() for line in open(f"{data}/images/imagenet_{part}/labels.txt")]
    def centre(image):
        left, top = (round((side - 224) / 2) for side in image.size)
        return image.crop((left, top, left + 224, top + 224))
    return pixels([f"{data}/images/imagenet_{part}/{row[0]}" for row in rows], centre, *IMAGENET), np.array([int(row[1]) for row in rows])


def faces(data, part):
    paths = sorted(glob.glob(f"{data}/images/faces/*.jpg"))
    paths = sorted(glob.glob(f"{data}/images/coco_calib/*.jpg")) + paths[:6] if part == "calib" else paths[6:]
    return pixels(paths, lambda image: image.resize((320, 240), Image.BILINEAR), 127, 128), None


def lines(data, part):
    paths = sorted(glob.glob(f"{data}/images/ocr_lines/*.[jp][pn]g"))
    def canvas(image):
        whole = Image.new("RGB", (320, 128), (255, 255, 255))
        image.thumbnail((320, 128))
        whole.paste(image, (0, (128 - image.height) // 2))
        return whole
    return pixels(paths[:40] if part == "calib" else paths[40:], canvas, *IMAGENET, slice(None, None, -1)), None
