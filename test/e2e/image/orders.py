"""An ASGI application: each request gets a token, and answers its expiry."""

import json
from urllib.request import Request, urlopen

URL = (
    "http://169.254.169.254/metadata/identity/oauth2/token"
    "?api-version=2018-02-01&resource=https://vault.azure.net"
)


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    with urlopen(Request(URL, headers={"Metadata": "true"}), timeout=20) as response:
        body = json.dumps({"expiresOn": json.load(response)["expires_on"]}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
