"""What the pages of all simulators share: one layout, one style sheet."""

from pathlib import Path

from flask import Flask
from jinja2 import ChoiceLoader, FileSystemLoader

_HERE = Path(__file__).parent


def make_app(name: str) -> Flask:
    """Return an app with templates of its own beside the shared ones.

    Args:
        name: Of its package; `templates/` stands beside the module.
    """
    app = Flask(name, static_folder=_HERE / "static", static_url_path="/_static")
    shared = FileSystemLoader(_HERE / "templates")
    own = FileSystemLoader(Path(app.root_path) / "templates")
    app.jinja_loader = ChoiceLoader([own, shared])
    return app
