"""The verdict of Explain: facts in, one sentence out. Pure.

The first rule that fits decides; docs/explain.md holds the same table for people, row
by row, and a test compares the two.
"""

from dashboard.services.explaining_answers import ACCOUNT, AT_LARGE, INPUT, MAPPED
from dashboard.services.explaining_facts import Facts
from dashboard.services.explaining_grants import APPS, GRANTS
from dashboard.services.explaining_meetings import NUMBERS, UNMAPPED
from dashboard.services.explaining_strangers import STRANGERS
from dashboard.services.explaining_verdicts import Rule, Verdict
from dashboard.services.explaining_webhooks import ASKED_WEBHOOK

RULES: tuple[Rule, ...] = (
    *INPUT,
    *ACCOUNT,
    *APPS,
    *ASKED_WEBHOOK,
    *NUMBERS,
    *STRANGERS,
    *GRANTS,
    *UNMAPPED,
    *MAPPED,
    *AT_LARGE,
)


def judge(facts: Facts) -> Verdict:
    """Return what the first rule that fits says; the last one always does."""
    return next(rule.verdict(facts) for rule in RULES if rule.when(facts))
