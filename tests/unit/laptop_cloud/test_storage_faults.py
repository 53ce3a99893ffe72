"""Whom a bad day of the storage hits, and what requests are called."""

from __future__ import annotations

from collections import Counter

import pytest

from contract.errors import BadInput
from laptop_cloud.request_kinds import request_kind
from laptop_cloud.storage_faults import Fate, StorageDay, StorageFaults

ACCOUNT = "/devstoreaccount1"
TILE = "grid_-4.55_54.15"


def fates(kinds, **faults):
    day = StorageDay(StorageFaults(**faults))
    return [day.fate(kind) for kind in kinds]


def test_a_good_day_troubles_nobody():
    assert set(fates(["put message tiles"] * 50)) == {Fate.PASSED}


def test_shares_are_kept_and_the_rest_passes():
    counts = Counter(fates(["get messages tiles"] * 4000, busy_percent=20, cut_after_percent=10, seed=5))
    assert counts[Fate.BUSY] == pytest.approx(800, rel=0.15)
    assert counts[Fate.CUT_AFTER] == pytest.approx(400, rel=0.2)
    assert counts[Fate.PASSED] == pytest.approx(2800, rel=0.1)


def test_the_nth_request_of_a_kind_meets_the_same_fate_whatever_came_between():
    faults = {"busy_percent": 50, "seed": 7}
    alone = fates(["put blob commits"] * 20, **faults)
    mixed = fates(["put blob commits", "get messages tiles"] * 20, **faults)[::2]
    assert mixed == alone
    assert fates(["put blob commits"] * 20, **{**faults, "seed": 8}) != alone


def test_only_the_chosen_kinds_after_the_first_few_and_no_more_than_wanted_are_troubled():
    kinds = ["put blob commits", "put blob staging"] * 5
    seen = fates(kinds, stalled_after_percent=100, only="^put blob commits$", skip=1, most=2)
    assert seen[1::2] == [Fate.PASSED] * 5
    assert seen[::2] == [Fate.PASSED, Fate.STALLED_AFTER, Fate.STALLED_AFTER, Fate.PASSED, Fate.PASSED]


@pytest.mark.parametrize(
    "content",
    [
        {"busy_percent": 60, "cut_after_percent": 60},
        {"busy_percent": -1},
        {"busy_percent": "much"},
        {"only": "("},
        {"rain": 1},
        [],
    ],
)
def test_faults_that_make_no_sense_are_refused(content):
    with pytest.raises(BadInput):
        StorageFaults.from_json(content)


@pytest.mark.parametrize(
    ("service", "method", "target", "kind"),
    [
        ("queue", "POST", "/uk-tiles/messages?visibilitytimeout=0", "put message tiles"),
        ("queue", "GET", "/uk-urgent/messages?numofmessages=8", "get messages urgent"),
        ("queue", "PUT", "/uk-tiles/messages/id?popreceipt=x&visibilitytimeout=90", "update message tiles"),
        ("queue", "DELETE", "/uk-poison/messages/id?popreceipt=x", "delete message poison"),
        ("queue", "DELETE", "/uk-poison/messages", "clear messages poison"),
        ("queue", "GET", "/uk-tiles?comp=metadata", "get metadata tiles"),
        ("blob", "PUT", f"/uk/datasets/toy-2024/commits/{TILE}/g1", "put blob commits"),
        ("blob", "GET", f"/uk/datasets/toy-2024/commits/{TILE}/g1", "get blob commits"),
        ("blob", "PUT", f"/uk/datasets/toy-2024/commits/{TILE}/g1?comp=metadata", "put metadata commits"),
        ("blob", "PUT", "/uk/datasets/toy-2024/dataset.json", "put blob dataset"),
        ("blob", "HEAD", "/uk/datasets/toy-2024/toy/2024/x/0.bin", "head blob published"),
        (
            "blob",
            "PUT",
            f"/uk/staging/toy-2024/{TILE}/g1/abc/0.bin?comp=block&blockid=x",
            "put block staging",
        ),
        ("blob", "PUT", f"/uk/staging/toy-2024/{TILE}/g1/abc/0.bin?comp=blocklist", "put blob staging"),
        ("blob", "PUT", "/uk/ledger/vm-1/1?comp=appendblock", "append blob ledger"),
        ("blob", "GET", "/uk?restype=container&comp=list&prefix=heartbeats%2F", "list blobs"),
        ("blob", "PUT", "/uk?restype=container", "put container"),
    ],
)
def test_requests_are_called_by_what_they_are_about(service, method, target, kind):
    assert request_kind(service, method, ACCOUNT + target, {}) == kind


def test_a_copy_is_told_from_an_upload():
    target = f"{ACCOUNT}/uk/datasets/toy-2024/toy/2024/x/0.bin"
    assert request_kind("blob", "PUT", target, {"X-Ms-Copy-Source": "http://x"}) == "copy blob published"
