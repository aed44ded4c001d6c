"""The verdict of Explain: facts in, one sentence out. Pure.

The first rule that fits decides; docs/explain.md holds the same table for people, row
by row, and a test compares the two.
"""

from dashboard.services.explain.rules_answers import ACCOUNT
from dashboard.services.explain.rules_answers import AT_LARGE
from dashboard.services.explain.rules_answers import INPUT
from dashboard.services.explain.rules_answers import MAPPED
from dashboard.services.explain.facts import Facts
from dashboard.services.explain.rules_grants import APPS
from dashboard.services.explain.rules_grants import GRANTS
from dashboard.services.explain.rules_meetings import NUMBERS
from dashboard.services.explain.rules_meetings import UNMAPPED
from dashboard.services.explain.rules_people import STRANGERS
from dashboard.services.explain.verdicts import Rule
from dashboard.services.explain.verdicts import Verdict
from dashboard.services.explain.rules_webhooks import ASKED_WEBHOOK

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
