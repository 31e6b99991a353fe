from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gedge_provision.models.cpusets import format_cpuset, parse_cpuset


@given(st.frozensets(st.integers(0, 8191), min_size=1))
def test_lists_come_back_as_they_were(cpus: frozenset[int]) -> None:
    assert parse_cpuset(format_cpuset(cpus)) == cpus


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 40), st.integers(1, 40))
def test_strides_are_so_many_of_every_group(first: int, length: int, used: int, group: int) -> None:
    used = min(used, group)
    text = f"{first}-{first + length}:{used}/{group}"
    assert parse_cpuset(text) == {cpu for cpu in range(first, first + length + 1) if (cpu - first) % group < used}
    assert parse_cpuset(format_cpuset(parse_cpuset(text))) == parse_cpuset(text)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0-3,8", {0, 1, 2, 3, 8}),
        (" 0-1, 4", {0, 1, 4}),
        ("0-31:1/8", {0, 8, 16, 24}),
        ("0-10:2/4", {0, 1, 4, 5, 8, 9}),
    ],
)
def test_lists_are_read_as_the_kernel_reads_them(text: str, cpus: set[int]) -> None:
    assert parse_cpuset(text) == cpus


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no CPU list -> write it like 0-1,8"),
        ("a-b", "no CPU list"),
        ("0-", "no CPU list"),
        ("3-1", "counts downwards -> write 1-3"),
        ("0-9999", "no CPU 9999 -> use numbers up to 8191"),
        ("0-7:3/2", "takes 3 of every 2"),
        ("0-7:0/2", "takes 0 of every 2"),
        ("0:1/2", "no CPU list"),
        ("٣", "no CPU list"),
    ],
)
def test_what_is_no_list_is_refused_with_the_remedy(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_cpuset(text)
