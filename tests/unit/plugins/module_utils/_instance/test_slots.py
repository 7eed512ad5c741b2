# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os

import pytest

from ansible_collections.anqicms.lifecycle.plugins.module_utils._instance import slots


@pytest.fixture(autouse=True)
def names_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, '_NAME', '\0anqicms.lifecycle/test-%d/%%d' % os.getpid())


def test_only_so_many_places() -> None:
    first, second, third = slots.Slot(), slots.Slot(), slots.Slot()
    assert first.take(0, places=2) and second.take(0, places=2)
    assert not third.take(0.05, places=2)
    first.release()
    assert third.take(0, places=2)
    second.release()
    third.release()


def test_taking_twice_keeps_one_place() -> None:
    slot, other = slots.Slot(), slots.Slot()
    assert slot.take(0, places=2) and slot.take(0, places=2)
    assert other.take(0, places=2)
    slot.release()
    other.release()


def test_a_place_ends_with_its_holder() -> None:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write_end, b'1' if slots.Slot().take(0, places=1) else b'0')
        os._exit(0)
    assert os.read(read_end, 1) == b'1'
    os.waitpid(child, 0)
    slot = slots.Slot()
    assert slot.take(0, places=1)
    slot.release()
    os.close(read_end)
    os.close(write_end)
