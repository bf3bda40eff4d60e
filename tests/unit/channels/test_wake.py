"""Bells between processes."""

from engine.channels.wake import Bell, Ringer


def test_a_ring_is_heard_once(tmp_path):
    bell, ringer = Bell(tmp_path, "worker-0"), Ringer(tmp_path, "worker")

    ringer.ring()
    ringer.ring()

    assert bell.wait(1)
    assert not bell.wait(0)
    bell.close()
    ringer.close()


def test_every_worker_is_rung(tmp_path):
    bells = [Bell(tmp_path, f"worker-{number}") for number in range(2)]
    ringer = Ringer(tmp_path, "worker")

    ringer.ring()

    assert all(bell.wait(1) for bell in bells)
    for bell in bells:
        bell.close()
    ringer.close()


def test_ringing_at_nobody_is_harmless(tmp_path):
    ringer = Ringer(tmp_path, "worker")
    ringer.ring()
    bell = Bell(tmp_path, "worker-0")

    ringer.ring()
    bell.close()
    ringer.ring()
    again = Bell(tmp_path, "worker-0")
    ringer.ring()

    assert again.wait(1)
    again.close()
    ringer.close()


def test_a_deaf_bell_never_stops_the_ringer(tmp_path):
    bell, ringer = Bell(tmp_path, "worker-0"), Ringer(tmp_path, "worker")

    for _ in range(2_000):
        ringer.ring()

    assert bell.wait(0)
    bell.close()
    ringer.close()


def test_a_ringer_without_a_folder_does_nothing():
    ringer = Ringer(None, "worker")

    ringer.ring()

    ringer.close()
