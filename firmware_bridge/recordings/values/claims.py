"""What the comments of a file say of where its leads are from: ``measured: I, II``, ``reconstructed: V1 V2``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ecg_edge.firmware_bridge.lead_names import PROVENANCE, LeadLabel, lead_of
from ecg_edge.firmware_bridge.recordings.values.ages import age_of


def listed(comments: Sequence[str]) -> dict[str, list[str]]:
    """Provenances that comments list for each lead, the strongest claim first."""
    found: dict[str, list[str]] = {}
    for claim in PROVENANCE:
        for comment in comments:
            key, colon, names = comment.partition(":")
            if colon and key.strip().lower() == claim:
                leads = [lead for name in re.split(r"[,;\s]+", names) if (lead := lead_of(name))]
                for lead in dict.fromkeys(leads):
                    found[lead] = [*found.get(lead, []), claim]
    return found


_FACT = re.compile(r"<?(patient|name|sex|born|age)>?\s*:\s*(.*)", re.IGNORECASE)


def contradictions(lines: Sequence[str]) -> list[str]:
    """Return what lines such as ``patient: A`` and ``patient: B`` state twice and differently; the first is taken."""
    said: dict[str, dict[str, str]] = {}
    for found in filter(None, map(_FACT.match, lines)):
        key, text = found[1].lower(), found[2].strip()
        if key == "age":
            plain = str(age_of(text) or "")
        elif key == "sex":
            text = (text.split() or [""])[0]
            plain = text[:1].lower()
        else:
            plain = text
        if plain:
            said.setdefault(key, {}).setdefault(plain, text)
    return [
        f"{key} is stated as {' and as '.join(texts.values())}: {next(iter(texts.values()))} is taken"
        for key, texts in said.items()
        if len(texts) > 1
    ]


def obeyed(
    labels: Sequence[LeadLabel], own: Sequence[str], comments: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the provenance of each signal by its own word and by the comments, and a remark for each contradiction.

    Of two claims the weaker holds. A lead that lies in two columns has one provenance in each: comments say nothing
    against their labels.

    Parameters
    ----------
    labels : sequence of LeadLabel
    own : sequence of str
        Provenance that each signal states; empty where it states none.
    comments : sequence of str
        Of the file.
    """
    lists, columns = listed(comments), Counter(label.lead for label in labels)
    out, remarks = [], []
    for label, word in zip(labels, own, strict=True):
        claims = set(lists.get(label.lead, [])) if not word or columns[label.lead] == 1 else set()
        claims |= {word} - {""}
        weakest = max(claims, key=PROVENANCE.index, default="")
        out.append(weakest)
        if len(claims) > 1:
            said = " and ".join(sorted(claims, key=PROVENANCE.index))
            remarks.append(f"{label.lead} is called {said}: taken as {weakest}")
    return tuple(out), tuple(remarks)
