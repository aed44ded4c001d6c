"""How long Zoom waits for an answer while sixteen people type wrong passwords at once.

`python -m benchmarks.sign_ins`; signed events come in at a steady rate, on SQLite. In
the middle sixteen sign-ins with wrong passwords are sent at the same moment, for
sixteen emails, so that each costs a whole hash. A server of its own for each round.
"""

import argparse
import asyncio
from http import HTTPStatus
from time import perf_counter

import aiohttp

from benchmarks import report
from benchmarks.open_pages import _TOKEN
from benchmarks.processes import dashboard
from benchmarks.sites import BenchmarkError, open_sites
from benchmarks.staff_pages import _ask, _table

_AT_ONCE = 16


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=50.0, help="events a second")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows, longest = [], {0: 0.0, _AT_ONCE: 0.0}
    with open_sites() as sites:
        print(report.machine(sites, ["sqlite"]))
        for number in range(options.rounds):
            for sign_ins in (0, _AT_ONCE):
                with dashboard(sites.site("sqlite"), "serve") as running:
                    took, unanswered = asyncio.run(
                        _round(running.port, sign_ins, options)
                    )
                longest[sign_ins] = max(longest[sign_ins], took[-1])
                p99 = took[int(len(took) * 0.99)]
                cells = (f"{one * 1000:,.0f}" for one in (p99, took[-1]))
                rows.append([str(number + 1), str(sign_ins), *cells, f"{unanswered}"])
                print(rows[-1], flush=True)
    head = ["round", "wrong sign-ins", "p99 ms", "longest ms", "no answer"]
    print(_table(head, rows))
    print(f"ratio of the longest: {longest[_AT_ONCE] / longest[0]:.1f}")


async def _round(
    port: int, sign_ins: int, options: argparse.Namespace
) -> tuple[list[float], int]:
    url = f"http://127.0.0.1:{port}"
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:
        began, number = perf_counter(), 0
        guesses: list[asyncio.Task[None]] = []
        asked = []
        while perf_counter() < began + options.seconds:
            asked.append(asyncio.create_task(_ask(session, number)))
            number += 1
            if not guesses and perf_counter() > began + options.seconds / 3:
                guesses = [asyncio.create_task(_guess(url, n)) for n in range(sign_ins)]
            await asyncio.sleep(began + number / options.rate - perf_counter())
        answers = await asyncio.gather(*asked)
        await asyncio.gather(*guesses)
    took = sorted(one for one in answers if one is not None)
    return took, answers.count(None)


async def _guess(url: str, number: int) -> None:
    jar = aiohttp.CookieJar(unsafe=True)  # which takes them from an IP address
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.get(f"{url}/sign-in") as form:
            token = _TOKEN.search(await form.text())
        data = {
            "csrf_token": token[1] if token else "",
            "email": f"guess{number}@example.com",
            "password": "not the password of this account",
        }
        async with session.post(f"{url}/sign-in", data=data) as answer:
            if answer.status not in (
                HTTPStatus.UNPROCESSABLE_ENTITY,
                HTTPStatus.TOO_MANY_REQUESTS,
            ):
                raise BenchmarkError(f"a wrong password: {answer.status}")


if __name__ == "__main__":
    main()
