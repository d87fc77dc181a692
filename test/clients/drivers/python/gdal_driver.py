"""GDAL's /vsiaz in rasterio: opens a file and prints the token that the storage server got."""

import os

import rasterio

from token_line import parse_arguments, print_last_token

OPTIONS = {
    "client-id": "AZURE_IMDS_CLIENT_ID",
    "object-id": "AZURE_IMDS_OBJECT_ID",
    "resource-id": "AZURE_IMDS_MSI_RES_ID",
}

arguments = parse_arguments()
options = {OPTIONS[arguments.kind]: arguments.identity} if arguments.kind else {}
options["GDAL_CURL_CA_BUNDLE"] = os.environ["WIMDS_TEST_CA_FILE"]
with rasterio.Env(AZURE_STORAGE_ACCOUNT="wimdstest", **options):
    try:
        rasterio.open("/vsiaz/container/file.tif")
    except rasterio.errors.RasterioIOError:
        pass  # The reply of the server is no image.
print_last_token()
