"""What `clisc schema` says of a document, and whether it says all of it."""

import json

from jsonschema import Draft202012Validator

from clisc_cli.answers.schema import schema_of


def wrong(command, document):
    """What of a command's answer its published schema does not allow, or does not tell of."""
    schema = json.loads(json.dumps(schema_of(command)))
    Draft202012Validator.check_schema(schema)
    found = [error.message for error in Draft202012Validator(schema).iter_errors(document)]
    rest = {key: value for key, value in document.items() if key not in ("schema", "error")}
    if rest:
        whole = {"$defs": {name: _closed(one) for name, one in schema["$defs"].items()}}
        whole["anyOf"] = [one for one in schema["anyOf"] if one != {"required": ["error"]}]
        errors = Draft202012Validator(whole).iter_errors(rest)
        found += [str(error.message) + str([one.message for one in error.context]) for error in errors]
    return found


def _closed(definition):
    """Without room for what is not told; a schema that is published leaves it, for versions to come."""
    return {**definition, "additionalProperties": False} if "properties" in definition else definition
