"""`fleetctl`: what an operator watches a fleet with."""

from __future__ import annotations

from fleetctl.cli import run


def main() -> None:
    run()


if __name__ == "__main__":
    main()
