"""Finding the template that a service document names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from gedge_provision.adapters.files import read_document
from gedge_provision.models.documents import Source, validate
from gedge_provision.models.errors import DocumentError, Finding, UsageError
from gedge_provision.models.service import TemplateFile
from gedge_provision.models.wording import counted

__all__ = ["TemplateFinder", "Templates"]

_ENDS = {".yaml", ".yml", ".json"}
# Most files of a folder are services: only what may be a template is worth parsing.
_ROOT = re.compile(rb"""^[\s{]*["']?template["']?\s*:""", re.MULTILINE)


class TemplateFinder(Protocol):
    """Where the templates are that service documents name."""

    def find(self, source: Source, name: str) -> Source:
        """Return the valid template that a service document names.

        Raises:
            DocumentError: there is none, or there are several, or it is not valid.
        """


class Templates:
    """The templates of files that were named, and of the folders that service documents lie in; each is read once."""

    def __init__(self, files: Sequence[Path] = ()) -> None:
        """Read the named files.

        Raises:
            DocumentError: one is no valid template.
            UsageError: one cannot be read.
        """
        self._named = _by_name([_checked(read_document(path)) for path in files])
        self._folders: dict[Path, dict[str, list[Source]]] = {}
        self._unreadable: dict[Path, list[str]] = {}

    def find(self, source: Source, name: str) -> Source:
        """Return the valid template that a service document names: of the named files, else of its folder.

        Raises:
            DocumentError: there is none, or there are several, or it is not valid.
        """
        folder = Path(source.name).parent
        found = self._named.get(name) or self._of_folder(folder).get(name, [])
        if len(found) == 1:
            return _checked(found[0])
        place = source.place(("service", "template"))
        if not found:
            known = sorted({*self._named, *self._of_folder(folder)})
            remedy = f"name one of {', '.join(known)}" if known else "put its file into the folder of this one"
            unreadable = self._unreadable[folder]
            more = f" ({', '.join(unreadable)} cannot be read)" if unreadable else ""
            finding = Finding(
                place,
                "service.template",
                f"there is no template {name}{more}",
                f"{remedy}, or give it by --template FILE",
            )
        else:
            places = ", ".join(one.place(("template", "name")) for one in found)
            finding = Finding(
                place,
                "service.template",
                f"{counted(len(found), 'template')} have the name {name}: {places}",
                "keep one, or give the one that is meant by --template FILE",
            )
        raise DocumentError([finding])

    def _of_folder(self, folder: Path) -> dict[str, list[Source]]:
        if folder not in self._folders:
            self._unreadable[folder] = []
            sources = []
            for path in sorted(path for path in folder.iterdir() if path.suffix in _ENDS and path.is_file()):
                try:
                    if _ROOT.search(path.read_bytes()):
                        sources.append(read_document(path))
                except (OSError, UsageError):  # another document's mistake, unless its template is looked for
                    self._unreadable[folder].append(path.name)
            self._folders[folder] = _by_name([one for one in sources if _is_template(one)])
        return self._folders[folder]


def _is_template(source: Source) -> bool:
    return isinstance(source.data, dict) and isinstance(source.data.get("template"), dict)


def _checked(source: Source) -> Source:
    validate(source, TemplateFile)
    return source


def _by_name(sources: Sequence[Source]) -> dict[str, list[Source]]:
    found: dict[str, list[Source]] = {}
    for source in sources:
        found.setdefault(str(source.data["template"].get("name")), []).append(source)
    return found
