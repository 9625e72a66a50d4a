"""The test files with a failure or an error in a report of pytest (JUnit XML), one in each line."""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def main(report: str) -> None:
    cases = ET.parse(report).iter("testcase")
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    print("\n".join(sorted({find_file(case.get("classname", "")) for case in failed})))


def find_file(module: str) -> str:
    """The file of a module, of which the last parts may be classes."""
    parts = module.split(".")
    while parts and not Path(*parts).with_suffix(".py").is_file():
        parts.pop()
    return str(Path(*parts).with_suffix(".py"))


if __name__ == "__main__":
    main(sys.argv[1])
