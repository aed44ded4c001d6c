"""A browser without scripts: cookies, links, and forms filled in by their labels."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2
from bs4 import BeautifulSoup, Tag

_TIMEOUT_S = 60.0
_UNREAD = re.compile(
    r"\A.*?(?=<main)|</main>.*\Z|<svg.*?</svg>|<form.*?</form>", re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What came for an address, after redirects.

    Attributes:
        path: Where the redirects ended.
    """

    status: int
    path: str
    soup: BeautifulSoup

    @property
    def text(self) -> str:
        return words(self.soup)

    def one(self, selector: str) -> Tag:
        found = self.soup.select_one(selector)
        assert found is not None, f"{self.path} has no {selector}: {self.text[:2000]}"
        return found


def words(tag: Tag | None) -> str:
    """Return the text of an element, with single spaces."""
    return "" if tag is None else " ".join(tag.get_text(" ").split())


class Browser:
    """One person's browser.

    Args:
        url: Of the dashboard; no trailing slash.
    """

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(
            base_url=url, follow_redirects=False, timeout=_TIMEOUT_S
        )
        self.url = url
        self.pages = 0

    def close(self) -> None:
        self._http.close()

    def get(self, path: str) -> Page:
        return self._page(self._http.get(path))

    def read(self, path: str) -> Page:
        """Return what a page says: its main part, without forms and pictures."""
        return self._page(self._http.get(path), strip=_UNREAD)

    def json(self, path: str) -> Any:
        """Return what an export holds."""
        self.pages += 1
        response = self._http.get(path)
        assert response.status_code == HTTPStatus.OK, response.text
        return response.json()

    def post(self, path: str, **values: str) -> Page:
        return self._page(self._send(path, values))

    def submit(self, page: Page, action: str, **values: str) -> Page:
        """Send the form of a page whose action ends so, with what is typed in."""
        response = self.send(page, action, **values)
        return self._page(response)

    def ask(self, page: Page, action: str, **values: str) -> Page:
        """Send it; return what the answer says, as `read` does."""
        return self._page(self.send(page, action, **values), strip=_UNREAD)

    def send(self, page: Page, action: str, **values: str) -> httpx2.Response:
        """Send it, and follow no redirect."""
        forms = [
            each
            for each in page.soup.select("form[method=post]")
            if str(each.get("action") or page.path).partition("?")[0].endswith(action)
        ]
        assert forms, f"{page.path} has no form for {action}: {page.text[:2000]}"
        address = str(forms[0].get("action") or page.path)
        return self._send(address, _filled(forms[0]) | values)

    def _send(self, path: str, values: dict[str, str]) -> httpx2.Response:
        referer = {"referer": f"{self.url}/", "origin": self.url}
        return self._http.post(path, data=values, headers=referer)

    def _page(
        self, response: httpx2.Response, *, strip: re.Pattern[str] | None = None
    ) -> Page:
        self.pages += 1
        while response.is_redirect:
            response = self._http.get(response.headers["location"])
        assert response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, response.text
        text = response.text if strip is None else strip.sub("", response.text)
        return Page(
            status=response.status_code,
            path=response.url.path,
            soup=BeautifulSoup(text, "html.parser"),
        )


def _filled(form: Tag) -> dict[str, str]:
    """Return what a form sends when nothing is typed."""
    data: dict[str, str] = {}
    for each in form.select("input[name], textarea[name]"):
        kind = str(each.get("type", "text"))
        if kind in {"checkbox", "radio"} and not each.has_attr("checked"):
            continue
        data[str(each["name"])] = str(each.get("value") or each.get_text() or "")
    for each in form.select("select[name]"):
        chosen = each.select_one("option[selected]") or each.select_one("option")
        data[str(each["name"])] = str(chosen["value"]) if chosen else ""
    return data
