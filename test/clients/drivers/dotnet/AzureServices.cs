// The clients of Key Vault and Storage, which get their tokens from DefaultAzureCredential.
using Azure.Security.KeyVault.Secrets;
using Azure.Storage.Blobs;

public static class AzureServices
{
    [ModuleInitializer]
    internal static void Add()
    {
        Driver.Clients["key-vault"] = request =>
        {
            var client = new SecretClient(new Uri("https://wimdstest.vault.azure.net"), AzureIdentity.CreateDefault(request));
            return async () =>
            {
                await client.GetSecretAsync("password");
                return await Driver.ReadLastToken();
            };
        };
        Driver.Clients["blobs"] = request =>
        {
            var account = new Uri("https://wimdstest.blob.core.windows.net/container");
            var client = new BlobContainerClient(account, AzureIdentity.CreateDefault(request));
            return async () =>
            {
                await foreach (var _ in client.GetBlobsAsync()) { }
                return await Driver.ReadLastToken();
            };
        };
    }
}
