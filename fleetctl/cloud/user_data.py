"""What a new machine is told at its first boot: cloud-init's text, from the fleet's values. No secret is in it.

The templates lie in `infra/` and are shipped as this package's data.
"""

from __future__ import annotations

import re
from importlib import resources
from string import Template

from contract.errors import BadInput
from contract.fleet import Fleet
from fleetctl.cloud.create_body import MAX_USER_DATA_BYTES

FLEET_FILE = "/etc/tilefleet/fleet.toml"
STATE_FOLDER = "/var/lib/tilefleet"
TEMPLATE = "worker.yaml.in"
UNIT = "tilefleet-consumer.service"
DEAD_MAN_UNIT = "tilefleet-dead-man.service"
KNOWN_KEYS = frozenset(
    {"ssh_pwauth", "disable_root", "package_update", "packages", "mounts", "write_files", "bootcmd", "runcmd"}
)
"""Of cloud-init's many: what a worker may need. Another one is taken for a typing error."""
_INDENTED = 6
"""Blanks before the content of a file in the template."""
_TOP_KEY = re.compile(r"^([A-Za-z_]\w*):", re.MULTILINE)
_SECRET = re.compile(
    r"AccountKey=|SharedAccessSignature|[?&]sig=|-----BEGIN [A-Z ]*PRIVATE KEY|password\s*[:=]", re.IGNORECASE
)
_NVIDIA = re.compile(r"Standard_N[CDV]\d", re.ASCII)


def worker_user_data(fleet: Fleet, *, size: str, slots: int) -> str:
    """Cloud-init's text for a machine of that size. BadInput when it came out as it must not be."""
    text = Template(_template(TEMPLATE)).substitute(
        fleet_file=_indented(fleet_toml(fleet)),
        environment=_indented(worker_environment(size=size, slots=slots)),
        unit=_indented(_template(UNIT)),
        dead_man_unit=_indented(_template(DEAD_MAN_UNIT)),
    )
    check_user_data(text)
    return text


def worker_environment(*, size: str, slots: int) -> str:
    """The unit's variables."""
    device = "cuda" if _NVIDIA.match(size) else "cpu"
    values = {
        "FLEET": FLEET_FILE,
        "SLOTS": str(slots),
        "TILEFLEET_CONSUMER_DEVICE": device,
        "TILEFLEET_CONSUMER_CACHE_FOLDER": f"{STATE_FOLDER}/cache",
        "TILEFLEET_CONSUMER_SCRATCH_FOLDER": f"{STATE_FOLDER}/scratch",
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def fleet_toml(fleet: Fleet) -> str:
    """The part of the fleet file that a worker needs: addresses. Money and machines stay with the operator."""
    return (
        f'name = "{fleet.name}"\nkind = "{fleet.kind}"\nlocation = "{fleet.location}"\n'
        f'[storage]\nqueue_url = "{fleet.queue_url}"\nblob_url = "{fleet.blob_url}"\n'
        f'container = "{fleet.container}"\n[imagery]\nstac_url = "{fleet.stac_url}"\n'
    )


def check_user_data(text: str) -> None:
    """BadInput for what cloud-init would not read, what Azure would not take, and what should stay secret."""
    problems = []
    if not text.startswith("#cloud-config\n"):
        problems.append("it does not begin with #cloud-config, so that cloud-init would pass over it")
    if (length := len(text.encode())) >= MAX_USER_DATA_BYTES:
        problems.append(f"it has {length} bytes, {MAX_USER_DATA_BYTES} is too many")
    if unknown := sorted(set(_TOP_KEY.findall(text)) - KNOWN_KEYS):
        problems.append(f"it has unknown keys: {', '.join(unknown)}")
    if secret := _SECRET.search(text):
        problems.append(f"it seems to hold a secret, at {secret.group(0)!r}")
    if problems:
        raise BadInput(f"the machines' user data is not to be used: {'; '.join(problems)}")


def _template(name: str) -> str:
    return (resources.files("fleetctl") / "data" / name).read_text(encoding="utf-8")


def _indented(text: str) -> str:
    """As the content of a file in the template, whose first line stands behind the blanks already."""
    return ("\n" + " " * _INDENTED).join(text.rstrip("\n").split("\n"))
