"""The types of image files that a folder of images may hold, by their suffixes."""

FORMATS = {  # suffix of a file → format of Pillow, in the order in which Pillow tries them
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".ppm": "PPM",
}
SUFFIXES = tuple(FORMATS)
