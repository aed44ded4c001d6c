"""A process that asks Recall as often as it is let, for tests of the rate budgets.

`python -m tests.hammer INSTANCE DATABASE_URL RECALL_URL API_KEY WHO TRIES` prints how
many calls were made and how many were not. WHO is people or background.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import SecretStr

from dashboard.app import build_services
from dashboard.clients.recall.api import Recall
from dashboard.errors import UpstreamError
from dashboard.settings import load


def is_let(recall: Recall) -> bool:
    try:
        recall.list_apps()
    except UpstreamError:
        return False
    return True


def main() -> None:
    instance, database_url, recall_url, api_key, who, tries = sys.argv[1:]
    settings = load(
        instance=Path(instance), database_url=database_url, recall_url=recall_url
    )
    services = build_services(settings, listens_on="http://127.0.0.1:1")
    asking = services.in_background() if who == "background" else services
    recall = asking.recall("us-east-1", SecretStr(api_key))
    sys.stdin.readline()  # until all are ready
    with ThreadPoolExecutor(4) as pool:
        let = sum(pool.map(is_let, [recall] * int(tries)))
    services.close()
    sys.stdout.write(json.dumps({"made": let, "refused": int(tries) - let}))


if __name__ == "__main__":
    main()
