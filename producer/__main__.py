"""`producer`, `python -m producer`. Imports wait for the call: sending processes load this module too."""

from __future__ import annotations

import sys


def main() -> None:
    from producer.cli import run  # noqa: PLC0415 - see above

    sys.exit(run())


if __name__ == "__main__":
    main()
