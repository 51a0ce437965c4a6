"""Looks for the secrets that the tests used in all that the gateways of the run have let out.

Each folder below the one given is a test's: its file `secrets` has a secret a line, the other files
are logs, access logs, pages of the admin interface, answers, arguments of processes, rendered
files. A secret must be in no file of any test, neither as it is nor in base64.
"""

import base64
import subprocess
import sys
import tempfile
from pathlib import Path

# What looks like a secret and is none: a header that gateway.yaml adds, which is configuration.
NO_SECRETS = {"sk-token-tenants"}
# A provider that repeats the key that it was sent, in an answer that is passed on.
PASSED_ON = ("security/providers.providers/answers", "sk-oai-providers")
# Fewer would mean that nothing was kept.
LEAST_SECRETS, LEAST_FILES = 40, 200


def forms(secret):
    """A secret as it is, and the middle of its three forms in base64."""
    yield secret
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + secret.encode()).decode().rstrip("=")
        yield text[4 if shift else 0 : -2]


def search(folder):
    """Lines `file: form of a secret`, and how many secrets and files there are."""
    lists = list(folder.rglob("secrets"))
    secrets = {line for one in lists for line in one.read_text().splitlines()}
    secrets = sorted(secrets - NO_SECRETS)
    files = [one for one in folder.rglob("*") if one.is_file() and one.name != "secrets"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as patterns:
        patterns.write("".join(f"{form}\n" for secret in secrets for form in forms(secret)))
        patterns.flush()
        command = ["grep", "-roaFh", "--with-filename", "--exclude=secrets", "-f", patterns.name]
        ended = subprocess.run([*command, folder], capture_output=True, text=True)
    # 1: nothing found.
    assert not secrets or ended.returncode in (0, 1), ended.stderr
    found = sorted(set(ended.stdout.splitlines())) if secrets else []
    return [line for line in found if not _passed_on(line)], len(secrets), len(files)


def _passed_on(line):
    path, _, secret = line.rpartition(":")
    place, known = PASSED_ON
    return path.endswith(place) and secret == known


def can_fail():
    """A secret that was let out, in each of its forms, is found."""
    secret = "sk-planted-by-the-search"
    for form in forms(secret):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "secrets").write_text(f"{secret}\n")
            (Path(folder) / "stderr").write_bytes(b"\0 before " + form.encode() + b"behind\n")
            if not search(Path(folder))[0]:
                return False
    return True


def main(folder):
    assert can_fail(), "a planted secret was not found"
    found, secrets, files = search(Path(folder))
    print(f"{secrets} secrets looked for in {files} files of {folder}")
    if found:
        sys.exit("secrets were let out:\n" + "\n".join(found))
    assert secrets >= LEAST_SECRETS and files >= LEAST_FILES, "too few: was $PORTKEY_TEST_OUTPUTS set?"


if __name__ == "__main__":
    main(sys.argv[1])
