"""Apache OpenDAL's azblob service: lists a container and prints the token that the storage server got."""

import opendal

from token_line import parse_arguments, print_last_token

parse_arguments()
operator = opendal.Operator(
    "azblob",
    container="container",
    endpoint="https://wimdstest.blob.core.windows.net",
    account_name="wimdstest",
)
list(operator.list("/"))
print_last_token()
