"""Write docs/openapi/gse-v1.json from the server itself: python docs/openapi_page.py [--breaking].

A document that would break those who call by the committed one is not written, unless --breaking says that this is
meant: before anybody calls. /gse/v1 stays; what cannot be added to it belongs to /gse/v2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from openapi_breaking import breaks

from gedge_provision.gse import openapi_document

PAGE = Path(__file__).with_name("openapi") / "gse-v1.json"


def page() -> str:
    """Return the whole document."""
    return json.dumps(openapi_document(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write it; return 1 if it would break clients, and nothing was written."""
    found = breaks(json.loads(PAGE.read_text(encoding="utf-8")), openapi_document()) if PAGE.is_file() else []
    if found and "--breaking" not in sys.argv[1:]:
        print(*found, sep="\n", file=sys.stderr)  # noqa: T201
        print("nothing was written -> keep what callers rely on, or say that it is meant: --breaking", file=sys.stderr)  # noqa: T201
        return 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
