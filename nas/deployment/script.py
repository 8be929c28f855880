"""`classify.py`: a few lines that use the exported file without this program.

The text has the rules of one data set alone. It prepares an image as `nas.data.decoding` does,
which a test compares pixel by pixel.
"""

from __future__ import annotations

from nas.data.preparation import Preparation

SCRIPT_NAME = "classify.py"

HEAD = '''"""Names the class of images; needs onnxruntime, numpy and Pillow alone.

python classify.py IMAGE...
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

MODEL = Path(__file__).with_name("model.onnx")  # model_int8.onnx works alike, where there is one
session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
says = session.get_modelmeta().custom_metadata_map
classes, size = json.loads(says["class_names"]), int(says["image_size"])
how = {"resample": Image.Resampling.BICUBIC, "reducing_gap": 3.0}
for path in sys.argv[1:] or sys.exit(__doc__):
    image = ImageOps.exif_transpose(Image.open(path))
'''
EIGHT_BITS = """    if image.mode.startswith(("I", "F")):
        sys.exit(f"{path}: more than 8 bits a value, and no training image had them")
    if image.has_transparency_data:  # what is transparent lies on white
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    image = image.convert("RGB")
"""
SIXTEEN_BITS = """    background = "white"
    if image.mode.startswith("I"):  # grey of 16 bits: {white} is white, as in the training images
        if image.getextrema()[1] > {white}:
            sys.exit(f"{{path}}: values above {white}, and no training image had them")
        image, background = Image.fromarray(np.asarray(image).astype(np.float32)), 65535
    elif image.has_transparency_data:  # what is transparent lies on white
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    else:
        image = image.convert("RGB")
"""
FITTED = {
    "squeeze": "    image = image.resize((size, size), **how)\n",
    "crop": """    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    image = image.crop((left, top, left + side, top + side)).resize((size, size), **how)
""",
    "pad": """    longer = max(image.size)
    inner = [max(1, round(length * size / longer)) for length in image.size]
    image, picture = Image.new(image.mode, (size, size), {background}), image.resize(inner, **how)
    image.paste(picture, tuple((size - length) // 2 for length in inner))
""",
}
PIXELS = "    pixels = np.asarray(image, np.float32)\n"
GREY_PIXELS = """    pixels = np.asarray(image, np.float64)
    if image.mode == "F":
        grey = np.minimum(np.clip(np.rint(pixels), 0, 65535), {white})
        pixels = np.repeat(np.rint(grey * (255.0 / {white}))[..., np.newaxis], 3, axis=2)
"""
TAIL = """    scores = session.run(None, {"image": pixels[np.newaxis].astype(np.float32)})[0][0]
    shares = np.exp(scores - scores.max())
    best = int(scores.argmax())
    print(f"{path}: {classes[best]} ({shares[best] / shares.sum():.1%})")
"""


def classify_script(preparation: Preparation) -> str:
    """The text of a script that classifies image files by the exported file beside it.

    Args:
        preparation: How the training images were made of their files.
    """
    white = preparation.white
    fitted = FITTED[preparation.resize]
    if white is None:
        return HEAD + EIGHT_BITS + fitted.replace("{background}", '"white"') + PIXELS + TAIL
    wide = SIXTEEN_BITS.format(white=white), GREY_PIXELS.format(white=white)
    return HEAD + wide[0] + fitted.replace("{background}", "background") + wide[1] + TAIL
