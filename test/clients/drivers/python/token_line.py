"""The arguments and the output line of every Python driver."""

import json
import os
import ssl
import sys
import time
from typing import Callable, NamedTuple, Optional, Tuple
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


def print_tokens(get_token: Callable[[], Tuple[str, int]]) -> None:
    """Prints the token. After WIMDS_TEST_AGAIN_AFTER seconds, when the token has ended, prints the client's next one."""
    print_token(*get_token())
    seconds = os.environ.get("WIMDS_TEST_AGAIN_AFTER")
    if seconds is not None:
        time.sleep(float(seconds))
        print_token(*get_token())


def print_last_token() -> None:
    """Prints the last token that a simulated Azure server got, for clients that do not return it."""
    context = ssl.create_default_context(cafile=os.environ["WIMDS_TEST_CA_FILE"])
    with urlopen(os.environ["WIMDS_TEST_LAST_TOKEN_URL"], context=context) as response:
        print_token(response.read().decode(), None)
