"""Writes a whole-slide image of 24,576 by 20,480 pixels with libvips: white, in tiles of 256 in JPEG,
and all smaller levels, as BigTIFF. Takes the path.
"""

import ctypes
import glob
import os
import sys

[library] = glob.glob(os.path.join(os.environ["PYTHONPATH"], "pyvips_binary.libs", "libvips*.so*"))
vips = ctypes.CDLL(library)
JPEG = 1  # VIPS_FOREIGN_TIFF_COMPRESSION_JPEG


def done(status):
    if status != 0:
        vips.vips_error_buffer.restype = ctypes.c_char_p
        sys.exit(vips.vips_error_buffer().decode())


done(vips.vips_init(b"slide"))
black, white = ctypes.c_void_p(), ctypes.c_void_p()
done(vips.vips_black(ctypes.byref(black), 24576, 20480, b"bands", 3, None))
done(vips.vips_invert(black, ctypes.byref(white), None))
tiles = [b"tile", 1, b"tile_width", 256, b"tile_height", 256, b"pyramid", 1]
form = [b"compression", JPEG, b"bigtiff", 1]
done(vips.vips_tiffsave(white, sys.argv[1].encode(), *tiles, *form, None))
