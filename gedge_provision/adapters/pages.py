"""Pages and images made from templates of ours."""

from __future__ import annotations

__all__ = ["render_page"]


def render_page(template: str, **values: object) -> str:
    """Return a template of the folder data/ with its values, which are escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - most commands need no page

    environment = Environment(
        loader=PackageLoader("gedge_provision", "data"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)
