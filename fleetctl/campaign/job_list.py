"""The jobs of a container, beside those whose records nobody can read: one bad record must not hide the others."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from contract.artifact_names import JOBS_PREFIX, job_record
from contract.blob_store import BlobStore
from contract.errors import BadInput
from contract.job import Job, decode_job


@dataclass(frozen=True, slots=True)
class UnreadableJob:
    """A job of which something that must never change is damaged, or written by a newer release."""

    id: str
    problem: str


@dataclass(frozen=True, slots=True)
class JobList:
    """Every job of a container, in the order of their ids."""

    jobs: tuple[Job, ...]
    unreadable: tuple[UnreadableJob, ...]


def survey_jobs(store: BlobStore) -> JobList:
    """All jobs, the damaged ones by name."""
    jobs: list[Job] = []
    unreadable: list[UnreadableJob] = []
    for name in store.names(JOBS_PREFIX):
        job_id = name.removeprefix(JOBS_PREFIX).partition("/")[0]
        if name != job_record(job_id):
            continue
        try:
            jobs.append(decode_job(store.read(name).data))
        except BadInput as error:
            unreadable.append(UnreadableJob(job_id, str(error)))
    return JobList(tuple(jobs), tuple(unreadable))


def choose_job(store: BlobStore, wanted: str) -> Job:
    """The job of that id, or the only one of that name; BadInput names what comes near."""
    found = survey_jobs(store)
    named = [job for job in found.jobs if wanted in {job.id, job.name}]
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(job.id for job in named)
        raise BadInput(f"several jobs are named {wanted!r}: choose one of {ids}")
    for broken in found.unreadable:
        if broken.id == wanted:
            raise BadInput(f"job {wanted} cannot be read: {broken.problem}")
    close = get_close_matches(wanted, [job.id for job in found.jobs], n=1)
    hint = f"did you mean {close[0]}?" if close else "`fleetctl jobs` lists them"
    raise BadInput(f"there is no job {wanted[:80]!r}; {hint}")
