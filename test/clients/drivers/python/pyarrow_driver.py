"""pyarrow's AzureFileSystem, which is azure-sdk-for-cpp: lists a container and prints the token that
the storage server got."""

from pyarrow import fs

from token_line import parse_arguments, print_last_token

arguments = parse_arguments()
# Without a client id, the file system uses DefaultAzureCredential.
identity = {"client_id": arguments.identity} if arguments.identity else {}
filesystem = fs.AzureFileSystem(account_name="wimdstest", **identity)
filesystem.get_file_info("container/file.txt")
print_last_token()
