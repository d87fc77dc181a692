"""azure-storage-blob with ManagedIdentityCredential: uploads a blob, downloads it, and prints the
token."""

import os

from azure.core.exceptions import ResourceExistsError
from azure.identity import ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient

from token_line import parse_arguments, print_token

CONTENT = b"written and read by azure-storage-blob"


def main() -> None:
    credential = ManagedIdentityCredential()
    service = BlobServiceClient(os.environ["WIMDS_TEST_BLOB_ENDPOINT"], credential=credential)
    container = service.get_container_client("python")
    try:
        container.create_container()
    except ResourceExistsError:
        pass
    blob = container.get_blob_client("file.txt")
    blob.upload_blob(CONTENT, overwrite=True)
    assert blob.download_blob().readall() == CONTENT
    token = credential.get_token(parse_arguments().resource + "/.default")
    print_token(token.token, token.expires_on)


main()
