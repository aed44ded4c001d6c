"""The sentences about a challenge to our own public URL that was not answered rightly.

Each says what was seen and who mends it. For `runtime.probes.public_url_findings`.
"""

from dashboard.clients.public_url import NoAnswer

PROXY = "Whoever runs the proxy or tunnel in front"
SET = "An admin sets DASHBOARD_PUBLIC_URL to"
EXEMPTS = f"{PROXY} lets every POST to /hooks/zoom/ through."
ELSEWHERE = (
    "The public URL leads to something that is not this dashboard: {}. An admin "
    f"corrects DASHBOARD_PUBLIC_URL, or {PROXY[0].lower()}{PROXY[1:]} passes "
    "/hooks/zoom/ on."
)
_NOT_ZOOMS = "Should Zoom's own challenges arrive, only this server's way out is wrong."
_SERVES = f"{PROXY} serves"

NO_ANSWER = {
    NoAnswer.NO_NAME: "{host} is not in DNS, as this server sees it. Whoever keeps the "
    "domain adds it, or an admin corrects DASHBOARD_PUBLIC_URL.",
    NoAnswer.NO_LOOK_UP: "{host} could not be looked up: this server's own name server "
    "does not answer, which says nothing of Zoom's way. Whoever runs this server "
    "mends it.",
    NoAnswer.REFUSED: "{host} refuses connections at port {port}: nothing listens "
    f"there. {PROXY} starts it. {_NOT_ZOOMS}",
    NoAnswer.UNREACHABLE: "{host} could not be reached from this server. Whoever runs "
    f"its network looks why. {_NOT_ZOOMS}",
    NoAnswer.NO_CONNECTION: "{host} took no connection within 3 s, when Zoom gives up: "
    "a firewall drops it, or the address is an old one. Whoever runs the network "
    f"looks why. {_NOT_ZOOMS}",
    NoAnswer.TOO_SLOW: "No whole answer came within 3 s, when Zoom gives up. "
    f"{PROXY} finds what delays it: the dashboard itself answers in milliseconds.",
    NoAnswer.BROKEN_OFF: "The connection ended before there was a whole answer. "
    f"{PROXY} looks why it does not reach the dashboard.",
    NoAnswer.TOO_LONG: ELSEWHERE.format("it answers with far more than was asked for"),
    NoAnswer.CHAIN: "The certificate of {host} leads to no authority that is known: "
    "its chain is incomplete, or it is a private one. "
    f"{_SERVES} the full chain of a public authority.",
    NoAnswer.SELF_SIGNED: "The certificate of {host} is self-signed, which Zoom "
    f"refuses. {_SERVES} one of a public authority.",
    NoAnswer.EXPIRED: "The certificate of {host} has expired. "
    f"{PROXY} renews it, and sees why that did not happen by itself.",
    NoAnswer.NOT_YET: "The certificate of {host} is not valid yet, or this server's "
    "clock is slow. Whoever runs both checks the clocks.",
    NoAnswer.OTHER_NAME: "The certificate is for another name than {host}. "
    f"{_SERVES} one that names it.",
    NoAnswer.OLD_TLS: "{host} speaks only TLS older than 1.2, which Zoom asks for. "
    f"{PROXY} switches TLS 1.2 on.",
    NoAnswer.NO_TLS: "{host} does not speak TLS at port {port}. "
    f"{PROXY} ends TLS there, or an admin corrects DASHBOARD_PUBLIC_URL.",
    NoAnswer.BAD_TLS: "No TLS connection with {host} came about, or its certificate is "
    f"not usable. {PROXY} checks it with a tester of TLS.",
    NoAnswer.WAY_OUT: "The proxy by which this server goes out did not let our "
    "challenge pass, which says nothing of Zoom's way. Whoever runs it allows {host}.",
    NoAnswer.ADDRESS: "The public URL is nothing that can be called. "
    f"{SET} an address like https://host.",
}
"""Why there is no answer; with {host} and {port}."""

ALTERED = (
    "Our own challenge arrived here altered, so its signature did not match. Whoever "
    "runs the proxy in front of this server has it pass bodies and x-zm- headers on "
    "unaltered."
)
OTHER_DASHBOARD = (
    "A dashboard refused our own challenge, and it is not this one, which noted none: "
    "another installation answers at the public URL. An admin corrects "
    "DASHBOARD_PUBLIC_URL, or where the proxy in front leads."
)
OTHER_APPS = (
    "A dashboard answers at the public URL, but it does not know this zoom app: it is "
    "another installation. An admin corrects DASHBOARD_PUBLIC_URL, or where the proxy "
    "or tunnel in front leads."
)
OTHERS_ANSWER = (
    "The answer was made with another secret token than the one stored here: another "
    "installation answers at the public URL. An admin corrects DASHBOARD_PUBLIC_URL, "
    "or where the proxy or tunnel in front leads."
)
OUT_OF_SERVICE = (
    "The dashboard answered 503: it could not open or store anything just then. Zoom "
    "tries again for about 85 minutes. Whoever runs this server looks at its database "
    "and log."
)
OLD_ANSWER = (
    "The answer is one to another challenge: something in front kept it. "
    f"{PROXY} switches caching off for /hooks/zoom/."
)
LONGER_ANSWER = (
    "The answer came back altered, and Zoom wants exactly two keys. "
    f"{PROXY} has it leave answers alone."
)
PAGE = (
    "A web page came with status 200 instead of the answer: a tunnel's notice, a "
    f"sign-in or another site. {EXEMPTS} Or an admin corrects DASHBOARD_PUBLIC_URL."
)
_SIGN_IN = (
    "Something in front asks for a sign-in or password (HTTP status {status}), which "
    f"Zoom does not have. {EXEMPTS}"
)
_GONE = ELSEWHERE.format("it has no such page (HTTP status {status})")
BY_STATUS = {
    401: _SIGN_IN,
    403: "A firewall or bot rule in front refused it (HTTP status 403), and Zoom does "
    f"not try again then. {EXEMPTS}",
    404: _GONE,
    407: _SIGN_IN,
    410: _GONE,
    429: "A rate limit in front refused it (HTTP status 429), and Zoom does not try "
    f"again then. {EXEMPTS}",
    **dict.fromkeys(
        (502, 503, 504, *range(520, 531)),
        "The proxy or tunnel in front answers {status}: it does not reach the "
        "dashboard. Whoever runs it mends that; Zoom tries again for about 85 minutes.",
    ),
}
"""What a status means that is not the dashboard's own; with {status}."""

OTHER_STATUS = {
    1: ELSEWHERE.format("it answers {status}, where 200 with two keys is due"),
    2: ELSEWHERE.format("it answers {status}, where 200 with two keys is due"),
    4: "Something in front refused it with HTTP status {status}, and Zoom does not try "
    f"again after a 4xx. {EXEMPTS}",
    5: "Something in front failed with HTTP status {status}. " + EXEMPTS,
}
"""The same for the others, by the hundred; with {status}."""
