"""`producer`, `python -m producer`. Imports wait for the call: sending processes load this module too."""

from __future__ import annotations


def main() -> None:
    from producer.cli import run  # noqa: PLC0415 - see above

    run()


if __name__ == "__main__":
    main()
