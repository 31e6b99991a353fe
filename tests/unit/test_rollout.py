from __future__ import annotations

import pytest

from gedge_provision.models.progress import SilentReporter
from gedge_provision.services.rollout import _apply


class Notes(SilentReporter):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.mark.parametrize(
    ("urls", "answer", "tried", "said"),
    [
        (("udp://192.0.2.1:53", "http://192.0.2.1:80", "http://192.0.2.2:80"), True, [("192.0.2.1", 80)], ""),
        (("http://192.0.2.1:80",), False, [("192.0.2.1", 80)], "http://192.0.2.1:80 does not answer this machine"),
        (("udp://192.0.2.1:53",), False, [], ""),
        ((), False, [], ""),
    ],
)
def test_the_first_tcp_port_is_tried_and_silence_is_only_noted(
    monkeypatch: pytest.MonkeyPatch, urls: tuple[str, ...], answer: bool, tried: list[tuple[str, int]], said: str
) -> None:
    seen = []

    def answers(address: str, port: int, _limit_s: float) -> bool:
        seen.append((address, port))
        return answer

    monkeypatch.setattr(_apply, "answers", answers)
    notes = Notes()
    _apply._try_port(urls, notes)
    assert seen == tried
    assert [said in text for text in notes.texts] == ([True] if said else [])
