"""msal's ManagedIdentityClient, without azure-identity."""

import time

import msal
import requests

from token_line import Arguments, parse_arguments, print_tokens


def identity_for(arguments: Arguments):
    if arguments.kind is None:
        return msal.SystemAssignedManagedIdentity()
    name = arguments.kind.replace("-", "_")
    return msal.UserAssignedManagedIdentity(**{name: arguments.identity})


def main() -> None:
    arguments = parse_arguments()
    client = msal.ManagedIdentityClient(identity_for(arguments), http_client=requests.Session())

    def get_token():
        result = client.acquire_token_for_client(resource=arguments.resource)
        if "access_token" not in result:
            raise SystemExit(str(result))
        return result["access_token"], int(time.time()) + int(result["expires_in"])

    print_tokens(get_token)


main()
