"""Signs of life between a slot and its supervisor, over a real datagram socket."""

from consumer.slot_life import LifeLine
from contract.service_manager import ALIVE, READY, status, tell_service_manager


def test_a_slot_is_silent_only_after_it_showed_life_once():
    line = LifeLine(0)
    assert not line.is_silent(now=1e9)
    tell_service_manager({"NOTIFY_SOCKET": line.address}, READY, ALIVE)
    line.hear(now=100.0)
    assert not line.is_silent(now=150.0, limit_seconds=60)
    assert line.is_silent(now=161.0, limit_seconds=60)
    line.forgive(10.0)
    assert not line.is_silent(now=161.0, limit_seconds=60)
    line.close()


def test_a_new_process_does_not_live_on_the_signs_of_the_one_before():
    line = LifeLine(0)
    tell_service_manager({"NOTIFY_SOCKET": line.address}, ALIVE)
    line.forget()
    assert line.last_sign is None
    line.close()


def test_nobody_listening_is_no_trouble():
    tell_service_manager({}, ALIVE)
    tell_service_manager({"NOTIFY_SOCKET": ""}, ALIVE)
    tell_service_manager({"NOTIFY_SOCKET": "@nobody-is-there"}, ALIVE)
    tell_service_manager({"NOTIFY_SOCKET": "/no/such/socket"}, ALIVE)


def test_a_status_is_one_line():
    assert status("3 tiles\nin hand") == "STATUS=3 tiles in hand"
