"""Every refusal that Azure's documents list is read as what it means, by status and code together."""

import json
from pathlib import Path

import pytest

from fleetctl.cloud.api_errors import Answer, quota_numbers, read_answer, refusal_of, refused
from fleetctl.cloud.machines import Refusal

EXAMPLES = Path(__file__).parents[5] / "shared" / "azure" / "examples"
QUOTA_TEXT = (
    "Operation could not be completed as it results in exceeding approved LowPriorityCores quota. "
    "Additional details - Deployment Model: Resource Manager, Location: westus2, Current Limit: 0, "
    "Current Usage: 0, Additional Required: 32, (Minimum) New Limit Required: 32."
)
BUSY_TEXT = "Operation 'start' is not allowed since another operation is in progress on the machine."
DENIED_TEXT = (
    "The client 'c' with object id 'o' does not have authorization to perform action "
    "'Microsoft.Compute/virtualMachines/write' over scope '/subscriptions/s/resourceGroups/uk' or the scope is invalid."
)


@pytest.mark.parametrize(
    ("status", "code", "message", "meant"),
    [
        (409, "SkuNotAvailable", "no spot capacity", Refusal.NO_CAPACITY),
        (409, "AllocationFailed", "no room", Refusal.NO_CAPACITY),
        (200, "ZonalAllocationFailed", "as an operation's end", Refusal.NO_CAPACITY),
        (409, "OverconstrainedAllocationRequest", "", Refusal.NO_CAPACITY),
        (409, "OverconstrainedZonalAllocationRequest", "", Refusal.NO_CAPACITY),
        (409, "OperationNotAllowed", QUOTA_TEXT, Refusal.QUOTA),
        (400, "QuotaExceeded", "more than the limit", Refusal.QUOTA),
        (409, "OperationNotAllowed", BUSY_TEXT, Refusal.CONFLICT),
        (429, "OperationNotAllowed", "too many requests", Refusal.THROTTLED),
        (409, "Conflict", "", Refusal.CONFLICT),
        (409, "AttachDiskWhileBeingDetached", "", Refusal.CONFLICT),
        (409, "RetryableError", "", Refusal.CONFLICT),
        (409, "SomethingNew", "", Refusal.CONFLICT),
        (409, "SpotPriceGreaterThanProvidedMaxPrice", "", Refusal.MISTAKE),
        (400, "MaxPriceValueInvalid", "", Refusal.MISTAKE),
        (409, "MaxPriceChangeNotAllowedForAllocatedVMs", "", Refusal.MISTAKE),
        (400, "EvictionPolicyCanBeSetOnlyOnAzureSpotVirtualMachines", "", Refusal.MISTAKE),
        (400, "AzureSpotVMNotSupportedInAvailabilitySet", "", Refusal.MISTAKE),
        (409, "VMPriorityCannotBeApplied", "", Refusal.MISTAKE),
        (409, "AzureSpotFeatureNotEnabledForSubscription", "", Refusal.MISTAKE),
        (409, "MissingSubscriptionRegistration", "", Refusal.MISTAKE),
        (404, "ResourceNotFound", "", Refusal.GONE),
        (404, "ResourceGroupNotFound", "", Refusal.GONE),
        (401, "ExpiredAuthenticationToken", "", Refusal.NOT_ALLOWED),
        (403, "AuthorizationFailed", DENIED_TEXT, Refusal.NOT_ALLOWED),
        (403, "LinkedAuthorizationFailed", "", Refusal.NOT_ALLOWED),
        (403, "RequestDisallowedByPolicy", "", Refusal.MISTAKE),
        (400, "InvalidParameter", "", Refusal.MISTAKE),
        (500, "InternalExecutionError", "", Refusal.TROUBLE),
        (503, "", "", Refusal.TROUBLE),
        (408, "", "", Refusal.TROUBLE),
        (200, "", "an answer that could not be read", Refusal.TROUBLE),
    ],
)
def test_each_refusal_is_read_as_what_it_means(status, code, message, meant):
    assert refusal_of(Answer(status, code, message)) is meant


def test_what_is_missing_while_creating_is_a_mistake_and_not_a_machine_that_is_gone():
    assert refusal_of(Answer(404, "NotFound", "no such image"), is_create=True) is Refusal.MISTAKE


def test_a_quota_error_is_told_with_its_numbers():
    numbers = quota_numbers(QUOTA_TEXT)
    assert (numbers.name, numbers.region) == ("LowPriorityCores", "westus2")
    assert (numbers.limit, numbers.used, numbers.more) == (0, 0, 32)
    told = str(refused(Answer(409, "OperationNotAllowed", QUOTA_TEXT), "creating uk-a10-0001"))
    assert "LowPriorityCores quota in westus2: limit 0, used 0, 32 more needed" in told


def test_a_missing_role_names_the_call_the_role_and_that_machines_go_on():
    told = str(refused(Answer(403, "AuthorizationFailed", DENIED_TEXT), "creating uk-a10-0001"))
    assert "creating uk-a10-0001: Microsoft.Compute/virtualMachines/write is not allowed" in told
    assert "on /subscriptions/s/resourceGroups/uk" in told
    assert "'Virtual Machine Contributor'" in told
    assert "Machines that run go on" in told


@pytest.mark.parametrize(
    ("action", "resource", "given"),
    [
        (
            "Compute/disks/write",
            "/resourceGroups/uk/x",
            '"Virtual Machine Contributor" at /resourceGroups/uk',
        ),
        ("Compute/skus/read", "/providers/Microsoft.Compute/skus", '"Reader" at '),
        (
            "Network/virtualNetworks/subnets/join/action",
            "/a/subnets/w",
            '"Network Contributor" at /a/subnets/w',
        ),
    ],
)
def test_a_missing_role_is_mended_by_the_command_that_gives_it_where_it_belongs(action, resource, given):
    told = DENIED_TEXT.replace("Compute/virtualMachines/write", action).replace(
        "/resourceGroups/uk", resource
    )
    role, _, scope = given.partition(" at ")
    command = f"az role assignment create --assignee WHO --role {role} --scope /subscriptions/s{scope}"
    assert refused(Answer(403, "AuthorizationFailed", told), "looking").mend == command


def test_azures_own_throttling_answer_is_read_without_its_outer_object():
    if not EXAMPLES.is_dir():
        pytest.skip("Azure's examples are not here")
    example = json.loads((EXAMPLES / "throttled_429.json").read_text())
    answer = read_answer(429, {"Retry-After": "1200"}, json.dumps(example["body"]))
    assert answer.code == "OperationNotAllowed"
    assert answer.inner_codes == ("TooManyRequests",)
    assert refusal_of(answer) is Refusal.THROTTLED
    assert refused(answer, "starting").retry_after_seconds == 1200


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", '{"error": 3}', '{"error": {"details": 4}}', '{"error": null}']
)
def test_an_answer_that_is_no_error_of_azures_is_trouble_and_never_a_traceback(body):
    assert refusal_of(read_answer(502, {}, body)) is Refusal.TROUBLE
