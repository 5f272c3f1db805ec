# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a host compile each file of a module once instead of twice.

Ansible sends a module as a zip file of sources. For each import, importlib first asks the importer for the file name.
zipimport compiles the source to answer that, discards the code, and compiles it again for the import itself (CPython
3.9 to 3.14, Lib/zipimport.py: get_filename and get_code both call _get_module_code). The importer here knows the name
without the code. C(_edge) installs it, so a module imports C(_edge) before other files of the collection.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import os
import sys
import zipimport


class _Importer(zipimport.zipimporter):
    """Imports from the zip file of a module, which holds sources only."""

    def get_filename(self, fullname: str) -> str:
        """The name of the file that holds a module, in the same form as zipimport's."""
        name = fullname.rpartition(".")[2]
        file = os.path.join(name, "__init__.py") if self.is_package(fullname) else f"{name}.py"
        return f"{self.archive}{os.sep}{self.prefix}{file}"


def install(archive: str) -> None:
    """Use this importer for everything in a zip file that is imported from now on."""

    def hook(path: str) -> _Importer:
        if path != archive and not path.startswith(archive + os.sep):
            raise ImportError
        return _Importer(path)

    sys.path_hooks.insert(0, hook)
    for path, finder in [*sys.path_importer_cache.items()]:
        if isinstance(finder, zipimport.zipimporter) and finder.archive == archive:
            sys.path_importer_cache[path] = hook(path)


def install_where_sent() -> None:
    """Use this importer if this file itself came in the zip file of a module."""
    loader: object = __spec__.loader if __spec__ else None
    if isinstance(loader, zipimport.zipimporter):
        install(loader.archive)
