"""mssql-python's Authentication=ActiveDirectoryMSI. It gets the token before it connects to SQL Server;
this calls that step only."""

from mssql_python.auth import AADAuth

from token_line import parse_arguments, print_token

arguments = parse_arguments()
identity = {"client_id": arguments.identity} if arguments.identity else None
print_token(AADAuth.get_raw_token("msi", identity), None)
