"""The arguments and the output line of every Python driver."""

import json
import sys
from typing import NamedTuple, Optional


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
