// An ASP.NET Core application: each request gets a token by DefaultAzureCredential, and replies with its expiry.
using Azure.Core;
using Azure.Identity;
using Microsoft.AspNetCore.Builder;

public static class Web
{
    [ModuleInitializer]
    internal static void Add() => Driver.Clients["serve"] = request => () => Serve(request);

    private static async Task<(string, DateTimeOffset?)> Serve(Request request)
    {
        var credential = new DefaultAzureCredential();
        var application = WebApplication.Create();
        application.MapGet("/", async () =>
            (await credential.GetTokenAsync(new TokenRequestContext([request.Scope]), default)).ExpiresOn);
        await application.RunAsync();
        return ("", null);
    }
}
