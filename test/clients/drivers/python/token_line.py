"""The arguments and the output line of every Python driver."""

import json
import os
import ssl
import sys
from typing import NamedTuple, Optional
from urllib.request import urlopen


class Arguments(NamedTuple):
    variant: str
    resource: str
    kind: Optional[str]
    identity: Optional[str]


def parse_arguments() -> Arguments:
    """VARIANT RESOURCE [KIND ID]"""
    variant, resource, *selector = sys.argv[1:]
    kind, identity = selector or (None, None)
    return Arguments(variant, resource, kind, identity)


def print_token(token: str, expires_on: Optional[int]) -> None:
    print(json.dumps({"token": token, "expiresOn": expires_on}))


def print_last_token() -> None:
    """Prints the last token that a simulated Azure server got, for clients that do not return it."""
    context = ssl.create_default_context(cafile=os.environ["WIMDS_TEST_CA_FILE"])
    with urlopen(os.environ["WIMDS_TEST_LAST_TOKEN_URL"], context=context) as response:
        print_token(response.read().decode(), None)
