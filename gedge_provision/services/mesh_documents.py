"""Loading mesh documents: each of their services is a service document on a template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gedge_provision.adapters.files import read_document
from gedge_provision.models.documents import Path as FieldPath
from gedge_provision.models.documents import Source, validate
from gedge_provision.models.errors import DocumentError, Finding
from gedge_provision.models.mesh import LoadedMesh, Mesh, MeshFile, MeshService, MeshVersion
from gedge_provision.models.progress import SILENT, Reporter
from gedge_provision.models.site import Site
from gedge_provision.planning.mesh import check_loaded, check_mesh, mesh_notes, version_name
from gedge_provision.services.documents import Checked, complete_service, gather
from gedge_provision.services.templates import TemplateFinder, Templates

__all__ = ["check_meshes", "load_mesh", "read_mesh"]

_OTHERS = {
    "service": ("a service", "gedge service apply brings it up"),
    "template": ("a template", "name it in a service of a mesh (see docs/service-mesh.md)"),
    "apiVersion": ("a Kubernetes manifest", "write a document whose root is serviceMesh: (see docs/service-mesh.md)"),
}
"""Other documents, by their root: what they are, and what to do with one."""

_OF_A_MESH = {"externalAccess"}
"""What an entry has beyond a service document."""


def load_mesh(
    path: Path,
    reporter: Reporter = SILENT,
    *,
    accelerated: bool = True,
    templates: Templates | Sequence[Path] = (),
    site: Site | None = None,
) -> LoadedMesh:
    """Read and validate a mesh document, and put each of its services on its template.

    Args:
        path: YAML or JSON file.
        reporter: is told what `load_service` tells of each service, and what the mesh does that it does not say.
        accelerated: False drops all acceleration of its services.
        templates: files of templates that count before those in the folder of the document.
        site: where it is to run.

    Raises:
        DocumentError: with every finding (file:line, field, remedy).
        UsageError: a file cannot be read, or it is another kind of document.
    """
    known = templates if isinstance(templates, Templates) else Templates(templates)
    mesh, notes = read_mesh(read_document(path), known, site, accelerated=accelerated)
    for note in notes:
        reporter.note(note)
    return mesh


def check_meshes(
    paths: Sequence[Path], *, templates: Sequence[Path] = (), site: Site | None = None
) -> tuple[Checked, ...]:
    """Check mesh documents, each as `load_mesh` would read it.

    Raises:
        DocumentError: with every finding of all files.
    """
    known = Templates(templates)

    def check(path: Path) -> Checked:
        mesh, notes = read_mesh(read_document(path), known, site, accelerated=True)
        return Checked(str(path), "service mesh", mesh.name, tuple(notes))

    return tuple(gather(check, paths))


def read_mesh(
    source: Source, templates: TemplateFinder, site: Site | None = None, *, accelerated: bool = True
) -> tuple[LoadedMesh, list[str]]:
    """Return the mesh of a parsed document as `load_mesh` reads it, and what its reader is told.

    Raises:
        DocumentError: with every finding.
    """
    _refuse_others(source)
    document = validate(source, MeshFile, check_mesh).service_mesh
    versions: list[MeshVersion] = []
    notes: list[str] = []
    findings: list[Finding] = []
    for index, entry in enumerate(document.services):
        try:
            service, told = complete_service(
                _service_source(source, index, entry), templates, site, accelerated=accelerated
            )
        except DocumentError as error:
            findings += [_in_the_mesh(finding, index) for finding in error.findings]
            continue
        notes += told
        versions.append(MeshVersion(entry.name, entry.version, entry.external_access, service))
    if findings:
        raise DocumentError(list(dict.fromkeys(findings)))
    mesh = _checked(source, document, versions)
    return mesh, list(dict.fromkeys(notes + mesh_notes(mesh)))


def _checked(source: Source, document: Mesh, versions: Sequence[MeshVersion]) -> LoadedMesh:
    mesh = LoadedMesh(document, tuple(versions))
    validate(source, MeshFile, lambda _: check_loaded(mesh))
    return mesh


def _service_source(source: Source, index: int, entry: MeshService) -> Source:
    """Return an entry of a mesh as a service document of its own, whose places are those in the mesh's file."""
    root: FieldPath = ("serviceMesh", "services", index)
    written = source.data["serviceMesh"]["services"][index]
    service = {key: value for key, value in written.items() if key not in _OF_A_MESH}
    lines = {("service", *path[len(root) :]): line for path, line in source.lines.items() if path[: len(root)] == root}
    lines[()] = lines["service",]
    data = {"service": {**service, "name": version_name(entry.name, entry.version)}}
    return Source(source.name, data, lines)


def _in_the_mesh(finding: Finding, index: int) -> Finding:
    """Return a finding with the field's path in the mesh; what is wrong with a template has its own."""
    if finding.path.partition(".")[0] != "service":
        return finding
    return replace(finding, path=f"serviceMesh.services[{index}]{finding.path.removeprefix('service')}")


def _refuse_others(source: Source) -> None:
    for key, (what, remedy) in _OTHERS.items():
        if isinstance(source.data, dict) and key in source.data and "serviceMesh" not in source.data:
            message = f"this is {what}, and only service meshes can be deployed here"
            raise DocumentError([Finding(source.place((key,)), "", message, remedy)])
