"""azure-identity, old and new: ManagedIdentityCredential, or DefaultAzureCredential."""

from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from token_line import Arguments, parse_arguments, print_tokens


def credential_for(arguments: Arguments):
    if arguments.variant == "default":
        return DefaultAzureCredential(managed_identity_client_id=arguments.identity)
    if arguments.kind is None:
        return ManagedIdentityCredential()
    if arguments.kind == "client-id":
        return ManagedIdentityCredential(client_id=arguments.identity)
    name = {"object-id": "object_id", "resource-id": "resource_id"}[arguments.kind]
    return ManagedIdentityCredential(identity_config={name: arguments.identity})


def main() -> None:
    arguments = parse_arguments()
    credential = credential_for(arguments)

    def get_token():
        token = credential.get_token(arguments.resource + "/.default")
        return token.token, token.expires_on

    print_tokens(get_token)


main()
