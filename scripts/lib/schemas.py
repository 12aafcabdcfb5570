"""Write the JSON Schema of every report, and docs/json-reference.md, which says it for humans."""

from pathlib import Path

from goprobe.report.schema import REPORTS, document, file_name
from scripts.lib import jsonreference

FOLDER = Path(__file__).parents[2] / "goprobe" / "report" / "schemas"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in REPORTS:
        (FOLDER / file_name(name)).write_text(document(name), encoding="utf-8")
        print(f"{name}  {file_name(name)}")
    jsonreference.FILE.write_text(jsonreference.document(), encoding="utf-8")
    print(jsonreference.FILE)


if __name__ == "__main__":
    main()
