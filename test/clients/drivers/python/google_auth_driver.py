"""google-auth's workload identity federation from Azure: the token that it would exchange at Google."""

from google.auth import identity_pool
from google.auth.transport.requests import Request

from token_line import parse_arguments, print_token

arguments = parse_arguments()
selector = f"&client_id={arguments.identity}" if arguments.identity else ""
credentials = identity_pool.Credentials(
    audience="//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/azure",
    subject_token_type="urn:ietf:params:oauth:token-type:jwt",
    token_url="https://sts.googleapis.com/v1/token",
    credential_source={
        "url": "http://169.254.169.254/metadata/identity/oauth2/token"
        f"?api-version=2018-02-01&resource={arguments.resource}{selector}",
        "headers": {"Metadata": "True"},
        "format": {"type": "json", "subject_token_field_name": "access_token"},
    },
)
print_token(credentials.retrieve_subject_token(Request()), None)
