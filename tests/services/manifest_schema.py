"""The facts about Zoom's manifests (contracts/zoom.md 12) as a JSON Schema.

Stricter than Zoom's own validator, which lets through what then does not work.
"""

from typing import Any

_HTTP = {"type": "string", "pattern": "^https?://[^/@]+/"}
_HEADER = {
    "oneOf": [
        {"type": "null"},
        {
            "type": "object",
            "required": ["custom_header_type"],
            "properties": {"custom_header_type": {"enum": [0, 1, 2, 3]}},
        },
    ]
}


def schema(environment: str) -> dict[str, Any]:
    """Return what a manifest has to be for an app of this environment."""
    here = {
        "redirect": f"{environment}_redirect_uri",
        "webhook": f"{environment}_webhook_url",
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["display_information", "oauth_information", "features"],
        "properties": {
            "display_information": {
                "type": "object",
                "required": ["display_name"],
                "properties": {
                    "display_name": {"type": "string", "minLength": 1, "maxLength": 49}
                },
            },
            "oauth_information": _oauth(here["redirect"]),
            "features": _features(here["webhook"]),
            "developer_information": {"type": "object"},
        },
    }


def _oauth(redirect: str) -> dict[str, Any]:
    fits = {
        "USER_OPERATION": {"not": {"pattern": ":admin$|^marketplace:"}},
        "ADMIN_MANAGEMENT": {"pattern": ":admin$"},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["usage", redirect, "oauth_allow_list", "strict_mode", "scopes"],
        "properties": {
            "usage": {"enum": list(fits)},
            "development_redirect_uri": _HTTP,
            "production_redirect_uri": _HTTP,
            "oauth_allow_list": {
                "type": "array",
                "items": _HTTP,
                "minItems": 1,
                "uniqueItems": True,
            },
            "strict_mode": {"type": "boolean"},
            "subdomain_strict_mode": {"type": "boolean"},
            "scopes": {
                "type": "array",
                "minItems": 1,
                "uniqueItems": True,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["scope", "optional"],
                    "properties": {
                        "scope": {
                            "type": "string",
                            # service:action:data_claim, granular (3.7)
                            "pattern": "^[a-z_]+:[a-z]+:[a-z_]+(:admin)?$",
                        },
                        "optional": {"type": "boolean"},
                    },
                },
                "contains": {"properties": {"optional": {"const": False}}},
            },
            "scope_description": {"type": "string", "minLength": 1},
        },
        "allOf": [
            {
                "if": {"properties": {"usage": {"const": usage}}},
                "then": {
                    "properties": {"scopes": {"items": {"properties": {"scope": rule}}}}
                },
            }
            for usage, rule in fits.items()
        ],
    }


def _features(webhook: str) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,  # no home URI or domains without a product
        "required": ["products", "event_subscription"],
        "properties": {
            "products": {"type": "array", "maxItems": 0},
            "event_subscription": {
                "type": "object",
                "additionalProperties": False,
                "required": ["enable", "events"],
                "properties": {
                    "enable": {"const": True},
                    "events": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 1,
                        "items": _subscription(webhook),
                    },
                },
            },
        },
    }


def _subscription(webhook: str) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [
            "subscription_name",
            "event_types",
            "event_usage",
            webhook,
            "development_event_custom_header",
            "production_event_custom_header",
        ],
        "properties": {
            "subscription_name": {"type": "string", "minLength": 1},
            "event_types": {
                "type": "array",
                "uniqueItems": True,
                "allOf": [
                    {"contains": {"const": "meeting.created"}},
                    {"contains": {"const": "user.updated"}},
                ],
                "maxItems": 2,
            },
            "event_usage": {"enum": ["EVENT_FOR_USER", "EVENT_FOR_ADMIN"]},
            "development_webhook_url": _HTTP,
            "production_webhook_url": _HTTP,
            "development_event_custom_header": _HEADER,
            "production_event_custom_header": _HEADER,
        },
    }
