"""BlobStore on Azure Blob Storage, or its emulator, through the real SDK."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from xml.etree.ElementTree import Element

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.core.pipeline.policies import ContentDecodePolicy
from azure.storage.blob import BlobClient, BlobLeaseClient, BlobProperties, ContentSettings

from contract.azure_clients import MIB, AzureClients
from contract.azure_errors import error_code, translated
from contract.blob_limits import NO_BLOB, check_append, check_lease_length, checked_metadata
from contract.blob_store import SMALL_BLOB_BYTES, Blob, BlobInfo, BlobLease
from contract.blob_stores.azure_lease import AzureLease
from contract.blob_stores.checked_bytes import check_same, length_and_md5
from contract.blob_stores.list_page import blobs_of_page, one_ahead, quoted
from contract.errors import AlreadyExists, Changed, NotFound, StorageUnavailable

COPY_SECONDS = 120.0
COPY_POLL_SECONDS = 0.2
TRANSFER_THREADS = 2

# Records are read in one request (so that a blob which grows meanwhile cannot fail between two);
# files go in blocks, so that memory holds TRANSFER_THREADS of them and not the whole file.
_RECORD_SIZES = {"max_single_put_size": SMALL_BLOB_BYTES, "max_single_get_size": SMALL_BLOB_BYTES}
_FILE_SIZES = {
    "max_single_put_size": 8 * MIB,
    "max_block_size": 8 * MIB,
    "max_single_get_size": 8 * MIB,
    "max_chunk_get_size": 8 * MIB,
}


class AzureBlobStore:
    """One container of the account. What it writes to a blob carries the lease that it took on that blob."""

    def __init__(self, clients: AzureClients) -> None:
        self._clock = clients.clock
        self._records = clients.container(**_RECORD_SIZES)
        self._files = clients.container(**_FILE_SIZES)
        self._leases: dict[str, BlobLeaseClient] = {}

    def ensure(self) -> None:
        """Make the container if there is none. A second call does nothing."""
        with translated("creating", f"container {self._records.container_name}"):
            try:
                self._records.create_container()
            except ResourceExistsError as error:
                if error_code(error) != "ContainerAlreadyExists":
                    raise

    def create(self, name: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> BlobInfo:
        try:
            return self._write("creating", name, data, metadata, overwrite=False)
        except Changed as error:  # a leased blob may answer so before its existence is looked at
            raise AlreadyExists(str(error)) from error

    def put(self, name: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> BlobInfo:
        return self._write("writing", name, data, metadata, overwrite=True)

    def replace(
        self, name: str, data: bytes, *, if_etag: str, metadata: Mapping[str, str] | None = None
    ) -> BlobInfo:
        try:
            return self._write("replacing", name, data, metadata, overwrite=True, **_only_if(if_etag))
        except Changed:
            there = self.read(name)  # the service says "condition not met" of a blob that is gone, too
            if (there.data, there.info.metadata) != (data, dict(metadata or {})):
                raise
            return there.info

    def upload(self, name: str, path: Path, *, metadata: Mapping[str, str] | None = None) -> BlobInfo:
        checked = checked_metadata(metadata)
        length, md5 = length_and_md5(path)
        with translated("uploading", name), path.open("rb") as stream:
            self._files.get_blob_client(name).upload_blob(
                stream,
                length=length,
                overwrite=True,
                metadata=checked,
                max_concurrency=TRANSFER_THREADS,
                validate_content=True,  # each request's bytes; the stored MD5 is only what we say it is
                content_settings=ContentSettings(content_md5=bytearray(md5)),
                lease=self._leases.get(name),
            )
        info = self.info(name)
        check_same(info, length, md5, f"uploading {name}")
        return info

    def read(self, name: str, *, max_bytes: int = SMALL_BLOB_BYTES) -> Blob:
        with translated("reading", name):
            download = self._records.get_blob_client(name).download_blob(encoding=None)
            if download.size > max_bytes:
                raise ValueError(f"{name} has {download.size} bytes, at most {max_bytes} were expected")
            return Blob(download.readall(), _info(download.properties))

    def read_from(self, name: str, offset: int, *, max_bytes: int = SMALL_BLOB_BYTES) -> bytes:
        with translated("reading", name):
            try:
                download = self._records.get_blob_client(name).download_blob(
                    offset=offset, length=max_bytes, encoding=None
                )
                return download.readall()
            except HttpResponseError as error:
                if error.status_code == 416:  # the offset is the end
                    return b""
                raise

    def download(self, name: str, path: Path) -> BlobInfo:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
            try:
                with translated("downloading", name):
                    download = self._files.get_blob_client(name).download_blob(
                        max_concurrency=TRANSFER_THREADS, encoding=None
                    )
                    download.readinto(part)
                part.close()
                info = _info(download.properties)
                length, md5 = length_and_md5(Path(part.name))
                check_same(info, length, md5, f"downloading {name}")
                Path(part.name).replace(path)
            except BaseException:
                Path(part.name).unlink()
                raise
        return info

    def info(self, name: str) -> BlobInfo:
        with translated("looking at", name):
            return _info(self._records.get_blob_client(name).get_blob_properties())

    def set_metadata(self, name: str, metadata: Mapping[str, str], *, if_etag: str) -> BlobInfo:
        checked = checked_metadata(metadata)
        try:
            with translated("marking", name):
                self._records.get_blob_client(name).set_blob_metadata(
                    checked, lease=self._leases.get(name), **_only_if(if_etag)
                )
        except Changed:
            self.info(name)
            raise
        return self.info(name)

    def copy(self, source: str, target: str, *, if_target_etag: str | None = None) -> BlobInfo:
        """As promised; with an ETag only over that very blob (NO_BLOB: over none), else Changed."""
        original = self.info(source)
        client = self._records.get_blob_client(target)
        try:
            with translated(f"copying {source} to", target):
                client.start_copy_from_url(
                    self._records.get_blob_client(source).url,
                    source_etag=original.etag,
                    source_match_condition=MatchConditions.IfNotModified,
                    destination_lease=self._leases.get(target),
                    **_over(if_target_etag),
                )
                copied = _finished_copy(client)
        except AlreadyExists as error:
            raise Changed(str(error)) from error
        check_same(copied, original.length, original.md5, f"copying {source} to {target}")
        return copied

    def delete(self, name: str) -> bool:
        try:
            with translated("deleting", name):
                self._records.get_blob_client(name).delete_blob(lease=self._leases.get(name))
        except NotFound:
            return False
        return True

    def listing(self, prefix: str, *, with_metadata: bool = False) -> Iterator[BlobInfo]:
        with translated("listing", prefix):
            for page in one_ahead(self._pages(prefix, include=["metadata"] if with_metadata else None)):
                yield from blobs_of_page(page)

    def names(self, prefix: str) -> Iterator[str]:
        with translated("listing", prefix):
            yield from self._records.list_blob_names(name_starts_with=prefix)

    def _pages(self, prefix: str, include: list[str] | None) -> Iterator[Element]:
        """The service's answers as they came. Asking the SDK for names alone makes it leave them so: turning them
        into its own objects costs half a millisecond of processor time per blob."""
        answers: list[Any] = []  # of the page's last try, and of those that failed before it
        names = self._records.list_blob_names(
            name_starts_with=prefix, include=include, raw_response_hook=answers.append
        )
        for _ in names.by_page():
            yield answers[-1].context[ContentDecodePolicy.CONTEXT_NAME]
            answers.clear()

    def append(self, name: str, data: bytes, *, at: int) -> int:
        check_append(data)
        client = self._records.get_blob_client(name)
        with translated("appending to", name):
            if at == 0:
                _create_append_blob(client)
            client.append_block(data, length=len(data), appendpos_condition=at)
        return at + len(data)

    def lease(self, name: str, seconds: int) -> BlobLease:
        check_lease_length(seconds)
        with translated("leasing", name):
            lease = self._records.get_blob_client(name).acquire_lease(lease_duration=seconds)
        return AzureLease(lease, name, self._leases)

    def now(self) -> datetime:
        if (now := self._clock.now()) is None:
            with translated("asking", f"container {self._records.container_name}"):
                self._records.exists()
            now = self._clock.now()
        if now is None:
            raise StorageUnavailable("the blob service's answers carry no date")
        return now

    def _write(
        self,
        action: str,
        name: str,
        data: bytes,
        metadata: Mapping[str, str] | None,
        *,
        overwrite: bool,
        **condition: Any,
    ) -> BlobInfo:
        checked = checked_metadata(metadata)
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
        with translated(action, name):
            answer = self._records.get_blob_client(name).upload_blob(
                data,
                overwrite=overwrite,
                metadata=checked,
                content_settings=ContentSettings(content_md5=bytearray(md5)),
                lease=self._leases.get(name),
                **condition,
            )
        return BlobInfo(name, len(data), answer["etag"], answer["last_modified"], md5, checked)


def _only_if(etag: str) -> dict[str, Any]:
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _over(target_etag: str | None) -> dict[str, Any]:
    if target_etag is None:
        return {}
    return _only_if(target_etag) if target_etag != NO_BLOB else {"match_condition": MatchConditions.IfMissing}


def _create_append_blob(client: BlobClient) -> None:
    # An earlier try may have made it: the position decides whether its block landed.
    with suppress(ResourceExistsError):
        client.create_append_blob(match_condition=MatchConditions.IfMissing)


def _finished_copy(client: BlobClient) -> BlobInfo:
    """The target once the service has copied it; small copies are done at once."""
    deadline = time.monotonic() + COPY_SECONDS
    while (properties := client.get_blob_properties()).copy.status == "pending":
        if time.monotonic() > deadline:
            raise StorageUnavailable(f"copying to {client.blob_name}: pending after {COPY_SECONDS:.0f} s")
        time.sleep(COPY_POLL_SECONDS)
    if properties.copy.status != "success":
        raise StorageUnavailable(
            f"copying to {client.blob_name}: {properties.copy.status}, {properties.copy.status_description}"
        )
    return _info(properties)


def _info(properties: BlobProperties) -> BlobInfo:
    md5 = properties.content_settings.content_md5  # None where the writer gave none
    return BlobInfo(
        name=properties.name,
        length=properties.size,
        etag=quoted(properties.etag),
        modified=properties.last_modified.astimezone(UTC),
        md5=bytes(md5) if md5 else None,
        metadata=dict(properties.metadata or {}),
    )
