"""`dashboard serve`, `web` and `worker`: the servers, in one process or in several."""

import click

from dashboard import schema, serving
from dashboard.cli.opening import HOST, PORT, load_settings
from dashboard.settings import Settings

ALLOW_PASSWORDS = click.option(
    "--allow-passwords",
    is_flag=True,
    help="Accept passwords although DASHBOARD_OIDC_ONLY is set.",
)


@click.command()
@HOST
@PORT
@ALLOW_PASSWORDS
def serve(host: str, port: int, *, allow_passwords: bool) -> None:
    """Run web and worker in one process."""
    serving.serve(
        _settings(allow_passwords=allow_passwords),
        host=host,
        port=port,
        upgrade=schema.upgrade_with_backup,
    )


@click.command()
@HOST
@PORT
@ALLOW_PASSWORDS
def web(host: str, port: int, *, allow_passwords: bool) -> None:
    """Run only the web server. Needs PostgreSQL; many may run."""
    settings = _settings(allow_passwords=allow_passwords)
    serving.serve(settings, host=host, port=port)


@click.command()
def worker() -> None:
    """Run only the worker. Needs PostgreSQL; many may run."""
    serving.work(load_settings())


def _settings(*, allow_passwords: bool) -> Settings:
    settings = load_settings()
    if allow_passwords:
        return settings.model_copy(update={"oidc_only": False})
    return settings
