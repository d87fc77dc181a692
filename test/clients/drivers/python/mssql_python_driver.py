"""mssql-python's Authentication=ActiveDirectoryMSI: a whole login to a server."""

import os

from mssql_python import connect

from token_line import parse_arguments, print_last_token

arguments = parse_arguments()
user = f"UID={arguments.identity};" if arguments.identity else ""
connect(
    f"Server={os.environ['WIMDS_TEST_SQL_SERVER']};Database=shop;Authentication=ActiveDirectoryMSI;"
    f"{user}Encrypt=yes;TrustServerCertificate=yes;"
).close()
print_last_token()
