"""Which cloud's metadata service is asked, and where."""

from __future__ import annotations

import structlog

from consumer.notices import aws, azure, google
from consumer.notices.metadata import Metadata
from consumer.notices.notice import NoAnswer, NoticeSource
from contract import log_lines
from contract.drain import VM_NAME

log = structlog.get_logger()

NO_CLOUD = "none"


def make_source(cloud: str, metadata_url: str) -> NoticeSource:
    """The source of that cloud's notices. `metadata_url` may be empty: the cloud's own address."""
    if cloud == "aws":
        return aws.AwsSpot(Metadata(metadata_url or aws.DEFAULT_URL))
    if cloud == "google":
        return google.GooglePreemption(Metadata(metadata_url or google.DEFAULT_URL))
    return azure.AzureScheduledEvents(Metadata(metadata_url or azure.DEFAULT_URL))


def name_in_cloud(cloud: str, metadata_url: str) -> str:
    """What the controller calls this machine; empty where the cloud is not Azure or does not say."""
    if cloud != "azure":
        return ""
    try:
        name = azure.machine_name(Metadata(metadata_url or azure.DEFAULT_URL))
    except NoAnswer as error:
        log.warning(log_lines.NOTICES_SILENT, reason=str(error))
        return ""
    return name if VM_NAME.fullmatch(name) else ""
