"""Layouts of image folders and files, one file each.

Every file in this folder is imported and registers its layout; a program of a user's own
calls `nas.data.layouts.layout.LAYOUTS.register` for another one.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
