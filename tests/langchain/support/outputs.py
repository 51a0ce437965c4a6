"""What a test run leaves behind, for the search for secrets that ends `make test`: all that a
gateway has let out, and the secrets that it knew. A folder per gateway below
`$PORTKEY_TEST_OUTPUTS`; without that variable nothing is kept."""

import os
import re
from pathlib import Path

# Keys of settings whose values are secrets.
CREDENTIALS = re.compile(r"(api_key|secret_access_key|session_token|ad_token|password)$")


def folder(name):
    """The folder of that name, or None."""
    root = os.environ.get("PORTKEY_TEST_OUTPUTS")
    if not root:
        return None
    path = Path(root) / "pytest" / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def keep(directory, files, pages):
    """Copies files, and pages of the admin interface by name; `directory` is the gateway's own."""
    place = folder(f"{directory.parent.name}.{directory.name}")
    if place is None:
        return
    for file in files:
        if file.exists():
            (place / file.name).write_bytes(file.read_bytes())
    for name, text in pages.items():
        (place / name.partition("?")[0]).write_text(text)


def given(name, secrets):
    """Notes secrets that are used."""
    place = folder(name)
    if place is not None:
        with (place / "secrets").open("a") as file:
            file.writelines(f"{secret}\n" for secret in secrets)


def secrets(settings):
    """The secrets in a gateway.yaml, or in a part of it."""
    if isinstance(settings, dict):
        for key, value in settings.items():
            if isinstance(value, str) and CREDENTIALS.search(key):
                yield value
            else:
                yield from secrets(value)
    elif isinstance(settings, list):
        for value in settings:
            yield from secrets(value)
