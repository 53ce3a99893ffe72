"""The commit's codec: what it accepts is exactly what an attempt may have written."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from contract.commit_record import MAX_COMMIT_BYTES, decode_commit
from contract.errors import BadInput
from contract.outcomes import Outcome
from tests.unit.contract.attempts import Attempt

RECORD = Attempt("a1").record()


def changed(**fields):
    return json.dumps({**json.loads(RECORD.encode()), **fields}).encode()


def changed_artifact(**fields):
    artifacts = json.loads(RECORD.encode())["artifacts"]
    return changed(artifacts=[{**artifacts[0], **fields}])


def test_a_record_comes_back_as_it_was():
    assert decode_commit(RECORD.encode()) == RECORD
    empty = replace(RECORD, outcome=Outcome.EMPTY, artifacts=())
    assert decode_commit(empty.encode()) == empty


def test_the_bytes_of_a_record_do_not_depend_on_the_order_of_its_keys():
    reordered = replace(RECORD, provenance=dict(reversed({**RECORD.provenance, "a": 1}.items())))
    assert reordered.encode() == replace(RECORD, provenance={**RECORD.provenance, "a": 1}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        changed(v=2),
        changed(tile="grid_1_2"),
        changed(dataset="../x"),
        changed(generation=0),
        changed(generation="1"),
        changed(attempt="a/b"),
        changed(outcome="poison"),
        changed(outcome="fine"),
        changed(artifacts=None),
        changed(artifacts=[{}]),
        changed(provenance=None),
        changed_artifact(length=-1),
        changed_artifact(md5="x"),
        changed_artifact(sha256=None),
    ],
)
def test_what_is_no_commit_is_refused(data):
    with pytest.raises(BadInput):
        decode_commit(data)


def test_a_commit_cannot_name_blobs_outside_its_own_attempt_or_dataset():
    good = RECORD.artifacts[0]
    for fields in (
        {"staging": good.staging.replace("/a1/", "/a2/")},
        {"staging": "weights/secret"},
        {"name": "commits/grid_0.05_0.05/g1"},
        {"name": "dataset.json"},
        {"name": "../other/x"},
    ):
        with pytest.raises(BadInput):
            decode_commit(changed_artifact(**fields))


def test_a_commit_that_is_too_long_is_refused_before_it_is_sent():
    with pytest.raises(ValueError, match=str(MAX_COMMIT_BYTES)):
        replace(RECORD, provenance={"text": "x" * MAX_COMMIT_BYTES}).encode()
