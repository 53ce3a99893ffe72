"""`consumer`: the program on every machine of a fleet."""

from __future__ import annotations

from consumer.cli import app


def main() -> None:
    app(prog_name="consumer")


if __name__ == "__main__":
    main()
