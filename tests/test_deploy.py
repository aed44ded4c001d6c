"""What stands in deploy/ fits the product: metrics, states, addresses and settings."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dashboard.models.webhook import Outcome
from dashboard.services.facts.acting import Who
from dashboard.services.facts.connections import Shown
from dashboard.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
UNITS = sorted(DEPLOY.glob("systemd/*.service"))
SETTINGS_IN = [*UNITS, ROOT / "Containerfile", ROOT / "compose.yaml"]
MOST_EXPOSED = 2.0


def installed(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(name), reason=f"{name} is not installed")


def run(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_ask_for_metrics_and_states_that_exist() -> None:
    rules = ALERTS.read_text()
    code = (ROOT / "dashboard/services/metrics.py").read_text()
    states: dict[str, set[str]] = {
        "state": {each.value for each in Shown},
        "who": {each.value for each in Who},
        "outcome": {each.value for each in Outcome},
    }

    metrics = set(re.findall(r"\bdashboard_\w+", rules))
    assert len(metrics) >= 6
    assert all(f'"{name}"' in code for name in metrics)
    asked = re.findall(r'(state|who|outcome)=~?"([a-z_|]+)"', rules)
    assert len(asked) >= 4
    assert all(set(named.split("|")) <= states[label] for label, named in asked)


@installed("promtool")
def test_the_rules_do_what_their_tests_say() -> None:
    run("promtool", "test", "rules", "alerts_test.yaml", cwd=ALERTS.parent)


def test_every_rule_that_pages_has_a_test() -> None:
    rules = set(re.findall(r"alert: (\w+)", ALERTS.read_text()))
    tested = (ALERTS.parent / "alerts_test.yaml").read_text()

    assert {each for each in rules if each not in tested} <= {
        "DashboardWorkspaceTrouble",  # as the zoom app's
        "DashboardDeliveriesPaused",
        "DashboardRecallLimit",
    }


@installed("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_closed_off(unit: Path) -> None:
    found = run(
        *("systemd-analyze", "security", "--offline=true", "--no-pager", unit),
        cwd=unit.parent,
    )
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", found)
    assert exposure is not None
    assert float(exposure[1]) <= MOST_EXPOSED


@pytest.mark.parametrize("file", SETTINGS_IN, ids=lambda file: file.name)
def test_only_settings_that_exist_are_set(file: Path) -> None:
    known = {f"DASHBOARD_{name.upper()}" for name in Settings.model_fields}
    known |= {"DASHBOARD_INSTANCE_DIR", "DASHBOARD_HOST"}  # the last is compose's own
    named = set(re.findall(r"\bDASHBOARD_[A-Z_]+", file.read_text()))

    assert named
    assert {name.removesuffix("_FILE") for name in named} <= known


@installed("nginx")
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    key, chain = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
        *("ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=zoom.example.com"),
        *("-keyout", key, "-out", chain),
        cwd=tmp_path,
    )
    site = (DEPLOY / "nginx" / "dashboard.conf").read_text()
    site = site.replace("/etc/dashboard/tls", str(tmp_path))
    (tmp_path / "site.conf").write_text(site)
    whole = f"pid {tmp_path}/pid; events {{}} http {{ include {tmp_path}/site.conf; }}"
    (tmp_path / "nginx.conf").write_text(whole)

    run("nginx", "-t", "-c", tmp_path / "nginx.conf", cwd=tmp_path)
