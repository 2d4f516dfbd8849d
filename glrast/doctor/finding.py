"""One thing that was found, said in a sentence, with the remedy where there is one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """What a detection returns.

    Args:
        topic: the heading it stands under.
        text: what was found.
        state: 'ok'; 'note': worth knowing, rendering works all the same; 'fault': rendering on the asked device
            cannot work like this.
        remedy: what to do about it.
        facts: the same for machines; goes into --json.
    """

    topic: str
    text: str
    state: Literal["ok", "note", "fault"] = "ok"
    remedy: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
