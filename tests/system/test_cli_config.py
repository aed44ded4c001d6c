"""`dashboard config check` prints the settings without secrets and what is unsafe."""

from tests.fixtures.terminal import Terminal, terminal

__all__ = ["terminal"]

TOKEN = "not-a-real-token-0123456789"


def test_it_ends_with_0_and_shows_no_secret(terminal: Terminal) -> None:
    done = terminal.run("config", "check", DASHBOARD_METRICS_TOKEN=TOKEN)

    assert done.returncode == 0, done.stderr
    assert "DASHBOARD_PUBLIC_URL               https://dashboard.example.com\n" in (
        done.stdout
    )
    assert "DASHBOARD_METRICS_TOKEN            set\n" in done.stdout
    assert TOKEN not in done.stdout + done.stderr
    assert "- The public URL is https and this server speaks http" in done.stdout


def test_strict_ends_with_an_error_if_anything_is_unsafe(terminal: Terminal) -> None:
    done = terminal.run("config", "check", "--strict")

    assert done.returncode == 1
    assert done.stderr == "dashboard: 2 settings or files are unsafe, listed above.\n"


def test_a_safe_server_passes_strict(terminal: Terminal) -> None:
    done = terminal.run(
        *("config", "check", "--strict"),
        DASHBOARD_TRUSTED_PROXIES="1",
        DASHBOARD_ENCRYPTION_KEYS="A" * 43 + "=",
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Nothing unsafe was found.\n")


def test_a_wrong_setting_is_one_line_without_its_value(terminal: Terminal) -> None:
    done = terminal.run("config", "check", DASHBOARD_PUBLIC_URL="ftp://user:pw@host")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("dashboard: DASHBOARD_PUBLIC_URL: must be a URL")
    assert "pw" not in done.stderr
