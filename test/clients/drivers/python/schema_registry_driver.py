"""confluent-kafka's Schema Registry client with OAUTHBEARER_AZURE_IMDS: lists the subjects and prints the token that the
registry got; Resource Manager is in its place."""

import os

from confluent_kafka.schema_registry import SchemaRegistryClient

from token_line import parse_arguments, print_last_token

arguments = parse_arguments()
selector = f"&client_id={arguments.identity}" if arguments.identity else ""
client = SchemaRegistryClient(
    {
        "url": "https://management.azure.com",
        "ssl.ca.location": os.environ["WIMDS_TEST_CA_FILE"],
        "bearer.auth.credentials.source": "OAUTHBEARER_AZURE_IMDS",
        "bearer.auth.issuer.endpoint.query": f"api-version=2018-02-01&resource={arguments.resource}{selector}",
        "bearer.auth.logical.cluster": "lsrc-1",
        "bearer.auth.identity.pool.id": "pool-1",
    }
)
client.get_subjects()
print_last_token()
