"""What forms and queries have in common: texts that are stored, numbers that fit."""

import unicodedata
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, abort, request
from flask_wtf import FlaskForm
from werkzeug.datastructures import ImmutableMultiDict, MultiDict
from wtforms import IntegerField, PasswordField, StringField, TextAreaField

from dashboard.db.columns import is_storable, storable

_MOST_DIGITS = 18
_ODD = "Remove the invisible control characters."


def install(app: Flask) -> None:
    """Let no view see a text of the address that no database takes."""
    app.before_request(_replace_what_no_database_stores)


def _replace_what_no_database_stores() -> None:
    """Show views such characters of the query as U+FFFD, so that nothing matches."""
    if not is_storable(request.path):
        abort(HTTPStatus.NOT_FOUND)
    pairs = list(request.args.items(multi=True))
    if not all(is_storable("".join(pair)) for pair in pairs):
        request.args = ImmutableMultiDict(
            (storable(name), storable(value)) for name, value in pairs
        )


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF ships no types
    """A form whose texts hold no control characters.

    A text area and a password may have all that can be stored. What stands around a
    text is left to whoever trims it.
    """

    class Meta(FlaskForm.Meta):  # type: ignore[misc]  # as above
        """WTForms' own switches."""

        def wrap_formdata(self, form: FlaskForm, formdata: object) -> object:
            """Take no JSON, which Flask-WTF would: no page sends it."""
            if request.is_json and not isinstance(formdata, MultiDict):
                return None
            return super().wrap_formdata(form, formdata)

    def validate(
        self, extra_validators: Mapping[str, Sequence[Any]] | None = None
    ) -> bool:
        """Validate as WTForms does, then the texts; every error is at its field.

        White space alone in an optional field, which WTForms lets pass, is nothing.
        """
        is_valid = super().validate(extra_validators)
        for field in self:
            is_text = isinstance(field.data, str)
            if field.flags.optional and is_text and not field.data.strip():
                field.data = ""
            if field.errors or not isinstance(field.data, str):
                continue
            if _is_odd(field, field.data):
                field.errors = [_ODD]
                is_valid = False
        return bool(is_valid)


class QueryForm(Form):
    """A GET form: it changes nothing, so it carries no token."""

    class Meta:
        """WTForms' own switch."""

        csrf = False


class WholeNumberField(IntegerField):
    """A whole number; more digits than any number here has are no number."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was typed.

        Raises:
            ValueError: It is no whole number.
        """
        if valuelist and len(valuelist[0].strip()) > _MOST_DIGITS:
            self.data = None
            raise ValueError(self.gettext("Not a valid integer value."))
        super().process_formdata(valuelist)


def _is_odd(field: object, text: str) -> bool:
    if not is_storable(text):
        return True
    if isinstance(field, PasswordField | TextAreaField):
        return False
    return isinstance(field, StringField) and any(
        unicodedata.category(char) == "Cc" for char in text.strip()
    )
