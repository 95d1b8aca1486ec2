"""What the standings of a track say, in a few sentences for people."""

from __future__ import annotations

from collections.abc import Sequence

from trainstation.bench.verdicts.claims import LEVEL, NOT_CLAIMED, Claim, said
from trainstation.bench.verdicts.score import Standing
from trainstation.bench.words import counted

__all__ = ["verdict_sentences"]

FIRST = 3  # that are named
NAMED = 6  # likewise, each with its evidence


def verdict_sentences(found: Sequence[Standing], track: str) -> list[str]:
    """Return two to five sentences made from the standings of a track, with n and intervals; ties said as ties."""
    scored = [each for each in found if each.score_steps is not None and each.n]
    if not scored:
        return [f"No trial of the track {track} has a target: there is nothing to score."]
    if track == "known":
        made = [_reached(scored), _each_against(scored), _failed(found)]
        return [sentence for sentence in made if sentence]
    made = [_scores(scored, track), _steps(scored), _secs(scored), _solved(scored), _failed(found)]
    return [sentence for sentence in made if sentence]


def _reached(found: Sequence[Standing]) -> str:
    """Say how many targets each optimizer reaches."""
    by: dict[int, list[str]] = {}
    for each in sorted(found, key=lambda each: -each.reached):
        by.setdefault(each.reached, []).append(each.optimizer)
    said = [f"{_all(names)} {'of none' * (not count) or f'of {count}'}" for count, names in by.items()]
    targets = sorted({each.targets for each in found})
    seeds = _range([each.n // each.targets for each in found if each.targets], "seed")
    of = f"{_range(targets, 'problem')}, with {seeds} each"
    return f"At the best settings known, of {of}, at least half of the trials reach the target: {'; '.join(said)}."


def _range(counts: Sequence[int], what: str) -> str:
    """Write a number of things, or the least and the most.

    >>> _range([3, 3], "seed"), _range([4, 2], "seed")
    ('3 seeds', '2 to 4 seeds')

    """
    low, high = min(counts), max(counts)
    return counted(high, what) if low == high else f"{low} to {counted(high, what)}"


def _each_against(found: Sequence[Standing]) -> str:
    """Say of each optimizer how it compares with the reference in steps; in a sentence."""
    reference = found[0].reference.partition(",")[0]
    others = [each for each in found if each.verdict_steps not in ("", "reference")]
    if not others:
        return ""
    told = [each for each in others if each.speedup_steps is not None]
    if not told:
        return f"There are too few trials to compare any optimizer with {reference}."
    told.sort(key=lambda each: each.verdict_steps in ("tie", NOT_CLAIMED))  # what is claimed first
    said_of = [f"{each.optimizer} {_compared(each, reference)}" for each in told[:NAMED]]
    more = f"; {len(told) - NAMED} more are in the table" if len(told) > NAMED else ""
    n = f"n = {_range([each.pairs for each in told], 'pair')} of trials"
    evidence = f"{n}, p < {LEVEL} and an interval without 1 for a claim"
    return f"In steps to the target, against {reference} ({evidence}): {'; '.join(said_of)}{more}."


def _compared(each: Standing, reference: str) -> str:
    claim = _claim(each, steps=True)
    words = f"is {said(claim)}"
    if claim.verdict == NOT_CLAIMED:
        words = f"is not claimed to differ, {said(claim).partition(', ')[2]}"
    if each.searched == each.reference_searched:
        return words
    return f"{words}, its settings being from {each.searched} trials against {reference}'s {each.reference_searched}"


def _all(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _scores(found: Sequence[Standing], track: str) -> str:
    where = f"{counted(found[0].of_problems, 'problem')}, {counted(sum(each.n for each in found), 'trial')}"
    best = ", ".join(f"{each.optimizer} {each.score_steps:.2f}" for each in found[:FIRST] if each.score_steps)
    if not best:
        return f"Of {counted(len(found), 'optimizer')} ({track}, {where}) none has reached a target in most trials."
    return f"Scores in steps to the target, of {counted(len(found), 'optimizer')} ({track}, {where}): {best}."


def _steps(found: Sequence[Standing]) -> str:
    claims = {each.optimizer: _claim(each, steps=True) for each in found}
    return _against(found, claims, "better", "in steps to the target")


def _secs(found: Sequence[Standing]) -> str:
    claims = {each.optimizer: _claim(each, steps=False) for each in found}
    return _against(found, claims, "faster", "in seconds")


def _claim(each: Standing, *, steps: bool) -> Claim:
    if steps:
        return Claim(each.verdict_steps, each.speedup_steps, each.p_steps, each.pairs, each.problems)
    return Claim(each.verdict_secs, each.speedup_secs, each.p_secs, each.pairs, each.problems)


def _against(found: Sequence[Standing], claims: dict[str, Claim], word: str, what: str) -> str:
    """Say which optimizers are better than the reference, and how many are not or cannot be told."""
    reference = found[0].reference
    if not reference:
        return ""
    compared = {name: claim for name, claim in claims.items() if claim.verdict not in ("reference", "too few")}
    few = [name for name, claim in claims.items() if claim.verdict == "too few"]
    if not compared:
        return (
            f"There are too few trials to say whether any optimizer is {word} than {reference}, {what}." if few else ""
        )
    better = sorted(
        ((name, claim) for name, claim in compared.items() if claim.verdict == word),
        key=lambda pair: -(pair[1].speedup.mid if pair[1].speedup else 0.0),
    )
    ties = sum(claim.verdict == "tie" for claim in compared.values())
    rest = f"{counted(len(compared), 'optimizer')} compared, {counted(ties, 'tie')}"
    rest += f", {len(few)} with too few trials" * bool(few)
    pairs = sorted({claim.pairs for claim in compared.values()})
    n = f"n = {pairs[0]}" + (f" to {pairs[-1]}" if len(pairs) > 1 else "") + " pairs of trials each"
    if not better:
        return f"No optimizer is {word} than {reference}, beyond noise {what}: {rest}; {n}."
    named = "; ".join(f"{name} {said(claim).removeprefix(f'{word}, ')}" for name, claim in better[:FIRST])
    more = f"; and {len(better) - FIRST} more" if len(better) > FIRST else ""
    # half of the false verdicts are "worse"
    by_chance = round(LEVEL / 2 * len(compared))
    chance = f"; chance alone makes about {by_chance} of so many {word}" if by_chance else ""
    return f"{word.capitalize()} than {reference}, {what}: {named}{more} ({rest}; {n}{chance})."


def _solved(found: Sequence[Standing]) -> str:
    most = max(each.solved or 0.0 for each in found)
    who = [each for each in found if each.solved == most and most > 0]
    nothing = _listed([each.optimizer for each in found if not each.solved])
    if not who:
        return f"No trial of {nothing} reaches the target."
    n = sorted({each.n for each in who})
    many = f"n = {n[0]}{f' to {n[-1]}' * (len(n) > 1)}{' each' * (len(who) > 1)}"
    rest = f"; none of {nothing} does" if nothing else ""
    return f"Most trials reach the target, {most:.0%}, with {_listed([each.optimizer for each in who])} ({many}){rest}."


def _failed(found: Sequence[Standing]) -> str:
    failed = [each.optimizer for each in found if each.failures]
    return f"Trials of {_listed(failed)} have diverged or failed." if failed else ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - FIRST} more" if len(names) > FIRST else ""
    return ", ".join(names[:FIRST]) + more
