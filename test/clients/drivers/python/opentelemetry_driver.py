"""opentelemetry-resource-detector-azure: prints the attributes that its detector of virtual machines reports."""

import json

from opentelemetry.resource.detector.azure.vm import AzureVMResourceDetector


def main() -> None:
    found = AzureVMResourceDetector(raise_on_error=True).detect()
    print(json.dumps({"attributes": dict(found.attributes)}))


main()
