"""The verdict of Explain: facts in, one sentence out. Pure.

The first rule that fits decides; docs/explain.md holds the same table for people, row
by row, and a test compares the two.
"""

from dashboard.services.explain.facts import Facts
from dashboard.services.explain.rules_answers import ACCOUNT, AT_LARGE, INPUT, MAPPED
from dashboard.services.explain.rules_grants import APPS, GRANTS
from dashboard.services.explain.rules_meetings import NUMBERS, UNMAPPED
from dashboard.services.explain.rules_people import STRANGERS
from dashboard.services.explain.rules_webhooks import ASKED_WEBHOOK
from dashboard.services.explain.verdicts import Rule, Verdict

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
