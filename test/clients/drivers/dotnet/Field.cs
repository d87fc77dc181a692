// Microsoft.Extensions.Azure, Npgsql and the driver of MongoDB.
using System.Reflection;
using Azure.Core;
using Azure.Storage.Blobs;
using Microsoft.Extensions.Azure;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using MongoDB.Driver.Authentication.Oidc;
using Npgsql;

public static class Field
{
    [ModuleInitializer]
    internal static void Add()
    {
        Driver.Clients["extensions-azure"] = ListBlobs;
        Driver.Clients["npgsql"] = request => () => OpenPostgres(request);
        Driver.Clients["mongodb"] = request => () => Authenticate(request);
    }

    /// <summary>Lists blobs by a client that the configuration describes.</summary>
    private static GetToken ListBlobs(Request request)
    {
        var settings = new Dictionary<string, string?>
        {
            ["Blobs:serviceUri"] = "https://wimdstest.blob.core.windows.net",
            ["Blobs:credential"] = "managedidentity",
        };
        if (request.Kind == "client-id") settings["Blobs:managedIdentityClientId"] = request.Id;
        if (request.Kind == "object-id") settings["Blobs:managedIdentityObjectId"] = request.Id;
        if (request.Kind == "resource-id") settings["Blobs:managedIdentityResourceId"] = request.Id;
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings).Build();
        var services = new ServiceCollection();
        services.AddAzureClients(clients => clients.AddBlobServiceClient(configuration.GetSection("Blobs")));
        var client = services.BuildServiceProvider().GetRequiredService<BlobServiceClient>();
        return async () =>
        {
            await foreach (var _ in client.GetBlobContainerClient("container").GetBlobsAsync()) { }
            return await Driver.ReadLastToken();
        };
    }

    /// <summary>Logs in to PostgreSQL with a token as password.</summary>
    private static async Task<(string, DateTimeOffset?)> OpenPostgres(Request request)
    {
        var credential = AzureIdentity.CreateManaged(request);
        var builder = new NpgsqlDataSourceBuilder(Environment.GetEnvironmentVariable("WIMDS_TEST_POSTGRES"));
        builder.UsePasswordProvider(
            _ => credential.GetToken(new TokenRequestContext([request.Scope]), default).Token,
            async (_, cancellation) =>
                (await credential.GetTokenAsync(new TokenRequestContext([request.Scope]), cancellation)).Token);
        await using var source = builder.Build();
        await using var connection = await source.OpenConnectionAsync();
        return await Driver.ReadLastToken();
    }

    /// <summary>
    /// Gets the token of MONGODB-OIDC with ENVIRONMENT:azure. The driver requests it while it connects to a server; this calls that
    /// step only.
    /// </summary>
    private static async Task<(string, DateTimeOffset?)> Authenticate(Request request)
    {
        var assembly = typeof(IOidcCallback).Assembly;
        var type = assembly.GetType("MongoDB.Driver.Authentication.Oidc.AzureOidcCallback", throwOnError: true)!;
        var constructor = type.GetConstructors(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic)[0];
        var callback = (IOidcCallback)constructor.Invoke([request.Resource]);
        var token = await callback.GetOidcAccessTokenAsync(
            new OidcCallbackParameters(1, request.Id == "" ? null : request.Id), default);
        return (token.AccessToken, token.ExpiresIn is { } expiresIn ? DateTimeOffset.UtcNow + expiresIn : null);
    }
}
