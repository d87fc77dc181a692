"""msrestazure's MSIAuthentication, which the first azure-mgmt-* packages and az used."""

from msrestazure.azure_active_directory import MSIAuthentication

from token_line import parse_arguments, print_token

ID_OPTIONS = {"client-id": "client_id", "object-id": "object_id", "resource-id": "msi_res_id"}


def main() -> None:
    arguments = parse_arguments()
    selector = {ID_OPTIONS[arguments.kind]: arguments.identity} if arguments.kind else {}
    credentials = MSIAuthentication(resource=arguments.resource, **selector)
    token = credentials.token
    print_token(token["access_token"], int(token["expires_on"]))


main()
